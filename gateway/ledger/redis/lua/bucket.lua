-- One limit and its bucket: refill, left, take, give back, as gateway/core/bucket.py does it.
--
-- A bucket is kept as text: generation, units, rest, as_of, rate, grants. What is missing of a continuous one is
-- units + rest/window; of others, rest is 0. A limit is {field, kind, window, start, end, amount, burst, grants,
-- calendar}; start and end are the window that holds now, worked out by whoever asks: calendars are not known here.

local INTERVAL, CONTINUOUS, NEVER = 0, 1, 2
local FIELD, KIND, WINDOW, START, END, AMOUNT, BURST, GRANTS, CALENDAR = 1, 2, 3, 4, 5, 6, 7, 8, 9
local KINDS = {interval = INTERVAL, continuous = CONTINUOUS, never = NEVER}

-- A bucket from its text; second: whether its numbers are small enough to be worked with here.
local function bucket_from(text)
    local generation, units, rest, as_of, rate, grants =
        string.match(text, '^(%-?%d+) (%d+) (%d+) (%-?%d+) (%d+) (.*)$')
    if not generation then
        error('a bucket that cannot be read')
    end
    local small = #generation < 17 and #units < 16 and #rest < 16 and #as_of < 17
    return {
        generation = tonumber(generation), units = tonumber(units), rest = tonumber(rest), as_of = tonumber(as_of),
        rate = rate, grants = grants,
    }, small
end

local function text_of(bucket)
    return digits(bucket.generation) .. ' ' .. digits(bucket.units) .. ' ' .. digits(bucket.rest) .. ' '
        .. digits(bucket.as_of) .. ' ' .. bucket.rate .. ' ' .. bucket.grants
end

-- How far an instant may be behind Redis's clock (us): longer than a call waits, and no more. What is further behind is of
-- a wrong clock, and would open a window that is over.
local BEHIND = 5000000

-- Whether an act's instant is not to be trusted: it is a window behind what is written there, though that is not ahead of
-- Redis's own clock. Such an act was held up on its way, or sent by a clock that is wrong, and must not turn a bucket back.
local function is_stale(bucket, limit, now, server_us)
    local written = bucket.generation
    if limit[KIND] == CONTINUOUS then
        written = bucket.as_of
    end
    return limit[KIND] ~= NEVER and written > now + limit[WINDOW] and written <= server_us + limit[WINDOW]
end

-- The bucket as it is now; false is a full one.
local function refilled(bucket, limit, now)
    local kind, window = limit[KIND], limit[WINDOW]
    if kind == INTERVAL then
        local start = limit[START]
        if not bucket or bucket.generation < start then
            return {generation = start, units = 0, rest = 0, as_of = now, rate = '0', grants = bucket and bucket.grants or '[]'}
        elseif bucket.generation > now + window then
            bucket.generation, bucket.as_of = start, now
        end
        return bucket
    elseif not bucket then
        return {generation = 0, units = 0, rest = 0, as_of = now, rate = '0', grants = '[]'}
    elseif kind == CONTINUOUS then
        local elapsed = now - bucket.as_of
        if elapsed >= 0 then
            bucket.units, bucket.rest = flowed(bucket.units, bucket.rest, elapsed, limit[AMOUNT], window)
            bucket.as_of = now
        elseif -elapsed > window then
            bucket.as_of = now
        end
    end
    return bucket
end

-- Whole units that a refilled bucket can give.
local function left(bucket, limit)
    local spent = bucket.units
    if bucket.rest > 0 then
        spent = spent + 1
    end
    return math.max(0, limit[BURST] - spent)
end

-- Debit a refilled bucket.
local function take(bucket, limit, units, now)
    bucket.units, bucket.grants = bucket.units + units, limit[GRANTS]
    if limit[KIND] == CONTINUOUS then
        bucket.generation, bucket.rate = 0, digits(limit[AMOUNT])
    else
        bucket.as_of, bucket.rate = now, '0'
    end
end

-- A gift is {field, kind, generation, units, closes}. Credit it to the generation that paid; whether that changed it.
local function give_back(bucket, gift, now)
    local kind, generation, units, closes = gift[2], gift[3], gift[4], gift[5]
    if bucket.units == 0 and bucket.rest == 0 then
        return false
    end
    if kind ~= CONTINUOUS and (bucket.generation ~= generation or (kind == INTERVAL and closes <= now)) then
        return false
    end
    bucket.units = bucket.units - units
    if bucket.units < 0 then
        bucket.units, bucket.rest = 0, 0
    end
    return true
end

-- When a window is over at the latest; nil: the bucket has none.
local function closes_by(field, generation)
    local window, kind, anchor = string.match(field, '^[^|]*|(%d+)|(%a+)|([^|]*)|')
    if KINDS[kind] ~= INTERVAL then
        return nil
    end
    local closes = generation + tonumber(window)
    if anchor ~= 'epoch' and string.sub(anchor, 1, 6) ~= 'since:' then
        closes = closes + 7200000000 -- a day on which clocks are put back
    end
    return closes
end

-- For how many milliseconds from now on a bucket has to be kept; false: for ever (a pack).
-- A limit that was lowered since may refill a hundred times more slowly.
local function lasts_ms(field, bucket, now)
    local window, kind = string.match(field, '^[^|]*|(%d+)|(%a+)|')
    if KINDS[kind] == NEVER then
        return false
    end
    local full = closes_by(field, bucket.generation)
    if not full then
        full = bucket.as_of + (bucket.units + 1) * (tonumber(window) * 100 / math.max(1, tonumber(bucket.rate)))
    end
    return math.min(math.max(0, math.ceil((full - now) / 1000)), 1e14) + 60000
end

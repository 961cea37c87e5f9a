-- All that is kept of one scope: a hash of buckets by limit key, of holds ('!h:' and their id) with the earliest of
-- their deadlines ('!until'), and of slices ('!s:' and their gateway), which say what was debited and may come back.
-- Read once for an act, written once at its end.

local UNTIL = '!until'

local function read_scope(key)
    local scope = {key = key, buckets = {}, holds = false, slices = {}, changed = {}, gone = {}}
    local flat = redis.call('HGETALL', key)
    for place = 1, #flat, 2 do
        local field, value = flat[place], flat[place + 1]
        if string.byte(field) ~= 33 then
            scope.buckets[field] = value
        elseif field == UNTIL then
            scope.ends = tonumber(value)
        elseif string.byte(field, 2) == 115 then
            scope.slices[field] = value
        else
            scope.holds = scope.holds or {}
            scope.holds[field] = value
        end
    end
    return scope
end

-- The last instant at which something of the scope is not full; false: never.
local function scope_lasts_ms(scope, now)
    local longest = 0
    for field, text in pairs(scope.buckets) do
        local lasts = lasts_ms(field, (bucket_from(text)), now)
        if not lasts then
            return false
        end
        longest = math.max(longest, lasts)
    end
    if scope.ends then
        longest = math.max(longest, math.ceil((scope.ends - now) / 1000) + 60000)
    end
    return longest
end

-- Put text into a field, or with false take the field away, when the scope is written.
local function set(scope, field, text)
    if string.byte(field) ~= 33 then
        scope.buckets[field] = text or nil
    end
    if text then
        scope.changed[field], scope.gone[field] = text, nil
    else
        scope.changed[field], scope.gone[field] = nil, true
    end
end

local function write_scope(scope, now)
    local sets, dels = {}, {}
    for field, text in pairs(scope.changed) do
        sets[#sets + 1] = field
        sets[#sets + 1] = text
    end
    for field in pairs(scope.gone) do
        dels[#dels + 1] = field
    end
    if #sets > 0 then
        redis.call('HSET', scope.key, unpack(sets))
    end
    if #dels > 0 then
        redis.call('HDEL', scope.key, unpack(dels))
    end
    if #sets + #dels > 0 then
        local lasts = scope_lasts_ms(scope, now)
        if lasts then
            redis.call('PEXPIRE', scope.key, digits(lasts))
        else
            redis.call('PERSIST', scope.key)
        end
    end
end

local function give(scope, gifts, now)
    for _, gift in ipairs(gifts) do
        local text = scope.buckets[gift[1]]
        if text then
            local bucket, small = bucket_from(text)
            if not small then
                return false
            end
            if give_back(bucket, gift, now) then
                set(scope, gift[1], text_of(bucket))
            end
        end
    end
    return true
end

local function earliest_hold(scope)
    local earliest = nil
    for _, packed in pairs(scope.holds or {}) do
        local deadline = cmsgpack.unpack(packed)[1]
        if not earliest or deadline < earliest then
            earliest = deadline
        end
    end
    scope.ends = earliest
    set(scope, UNTIL, earliest and digits(earliest) or false)
end

-- Give back the holds whose deadline has come, whatever else becomes of the act that finds them.
local function expire_holds(scope, now)
    if not scope.ends or scope.ends > now then
        return
    end
    for field, packed in pairs(scope.holds or {}) do
        local hold = cmsgpack.unpack(packed)
        if hold[1] <= now then
            give(scope, hold[2], now)
            scope.holds[field] = nil
            set(scope, field, false)
        end
    end
    earliest_hold(scope)
    write_scope(scope, now)
    scope.changed, scope.gone = {}, {}
end

local function put_hold(scope, id, deadline, gifts)
    local field = '!h:' .. id
    scope.holds = scope.holds or {}
    scope.holds[field] = cmsgpack.pack({deadline, gifts})
    set(scope, field, scope.holds[field])
    earliest_hold(scope)
end

-- Whether there was such a hold; there is none any more.
local function end_hold(scope, id)
    local field = '!h:' .. id
    if not scope.holds or not scope.holds[field] then
        return false
    end
    scope.holds[field] = nil
    set(scope, field, false)
    earliest_hold(scope)
    return true
end

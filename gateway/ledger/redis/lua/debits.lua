-- Many plain debits in one call, each from the first of those asked who can pay. What is not plain is left alone.
--
-- KEYS[1]: the marker with the ledger's epoch. KEYS[2]: where the outcome of this call is remembered. Then the scopes'
-- hashes, one for each who is asked, debit by debit.
-- ARGV[1]: what is believed (epoch.lua). ARGV[2]: now. ARGV[3]: how the debits ask, one word each: the numbers of the
-- demands that are made of those who are asked, joined by '+', and ':' with the slice that is wanted of the first, if he pays;
-- empty: the call is called off, if it was not made yet. ARGV[4]: whose slices they are, by how much what is left is
-- divided for one, see slices.lua, and how far ahead of Redis's clock (us) now may be ('-': it is taken as it comes). Then
-- the demands: JSON of {cost, limits, grants}, limits as in bucket.lua.
--
-- Returns the time in microseconds, and for each debit: what is spent now, where the first who was asked has one limit that
-- is no token bucket, and has paid; -1 less what is spent, where it was not enough and he was the only one; else an array:
-- for each who was asked 1 or 0, paid or not, and units and rest of its limits, after it was paid or as they were, and last
-- what a slice got, if one was wanted and it was paid; or nil: nothing was done. Instead of all these 'void', where the call
-- was called off before, or 'untimely': nothing was done, now is too far ahead of Redis's clock, or behind it (BEHIND).

local REMEMBERED_MS = 61000

-- Whether a scope has more than the buckets of its limits, and that more may count. Slices do not where one may be cut.
local function is_more(texts, demand, cuts)
    for field, text in pairs(texts) do
        if not demand.own[field] and not (cuts and string.sub(field, 1, 3) == '!s:') then
            if string.byte(field) == 33 then
                return true
            end
            for _, grant in ipairs(demand[3]) do
                if string.find(text, grant, 1, true) then
                    return true
                end
            end
        end
    end
    return false
end

-- A limit's bucket as it is now, and whether it is the one that is stored; nil: that is not for here.
local function plain_bucket(text, limit, now)
    if not text then
        return refilled(false, limit, now), false
    end
    local bucket, small = bucket_from(text)
    if not small then
        return nil
    elseif limit[KIND] == INTERVAL then
        local fresh = bucket.generation < limit[START]
        if bucket.generation > limit[START] then
            return nil
        end
        return refilled(bucket, limit, now), not fresh
    elseif limit[KIND] == CONTINUOUS and bucket.as_of > now then
        return nil
    end
    return refilled(bucket, limit, now), limit[KIND] == NEVER
end

local function keep_until_full(key, texts, now)
    local longest = 0
    for field, text in pairs(texts) do
        if string.byte(field) ~= 33 then
            local lasts = lasts_ms(field, (bucket_from(text)), now)
            if not lasts then
                redis.call('PERSIST', key)
                return
            end
            longest = math.max(longest, lasts)
        end
    end
    redis.call('PEXPIRE', key, digits(longest))
end

-- Take away the marks of slices of windows that are over.
local function drop_marks(key, texts, now)
    for field, mark in pairs(texts) do
        if string.sub(field, 1, 3) == '!s:' and not is_live(mark, texts, now) then
            redis.call('HDEL', key, field)
        end
    end
end

-- What one who is asked says: whether he has paid, his buckets, and what a slice got; nil: that is not for here.
local function ask(key, demand, now, want, cutter)
    local flat = redis.call('HGETALL', key)
    local limits, texts, buckets = demand[2], {}, {}
    for place = 1, #flat, 2 do
        texts[flat[place]] = flat[place + 1]
    end
    local own, stored, units = 0, true, demand[1]
    for index, limit in ipairs(limits) do
        local text = texts[limit[FIELD]]
        local bucket, same = plain_bucket(text, limit, now)
        if not bucket then
            return nil
        end
        buckets[index], stored = bucket, stored and same
        own = own + (text and 2 or 0)
        units = math.min(units, left(bucket, limit))
    end
    if own < #flat and is_more(texts, demand, want) then
        return nil
    elseif units < demand[1] then
        if want and is_held(texts, texts, cutter.me, now) then
            return nil
        end
        return 0, buckets
    end
    local sets = {}
    for index, limit in ipairs(limits) do
        take(buckets[index], limit, units, now)
        local text = text_of(buckets[index])
        texts[limit[FIELD]] = text
        sets[#sets + 1] = limit[FIELD]
        sets[#sets + 1] = text
    end
    local slice, paid = 0, buckets
    if want and want > 0 and demand.short then
        local limit, bucket = limits[1], buckets[1]
        paid = {{units = bucket.units, rest = 0}}
        slice = math.min(want, math.floor(left(bucket, limit) / cutter.share))
        if slice > 0 then
            take(bucket, limit, slice, now)
            sets[2] = text_of(bucket)
            texts[limit[FIELD]] = sets[2]
            sets[3], sets[4] = '!s:' .. cutter.me, digits(bucket.generation) .. ' ' .. digits(slice)
            texts[sets[3]] = sets[4]
        elseif texts['!s:' .. cutter.me] then
            redis.call('HDEL', key, '!s:' .. cutter.me)
        end
    end
    redis.call('HSET', key, unpack(sets))
    if not stored then
        drop_marks(key, texts, now)
        keep_until_full(key, texts, now)
    end
    return 1, paid, slice
end

-- One debit that asks several, or one who has several limits or a token bucket.
local function long_reply(reply, paid, buckets)
    reply[#reply + 1] = paid
    for _, bucket in ipairs(buckets) do
        reply[#reply + 1] = bucket.units
        reply[#reply + 1] = bucket.rest
    end
    return reply
end

-- The most frequent debit without the machinery: nothing but a bucket of this window is there, or nothing at all.
-- What is spent then, or as above; nil: anything else.
local function debit_of_window(key, demand, now_text)
    local flat, limit, units = redis.call('HGETALL', key), demand[2][1], nil
    if #flat == 0 then
        units = 0
    elseif #flat == 2 and flat[1] == limit[FIELD] then
        local start, spent = string.match(flat[2], '^(%d+) (%d+) ')
        if start ~= demand.start or #spent > 15 then
            return nil
        end
        units = tonumber(spent)
    else
        return nil
    end
    local after = units + demand[1]
    if after > limit[BURST] then
        return -1 - units
    end
    redis.call('HSET', key, limit[FIELD],
        demand.start .. ' ' .. digits(after) .. ' 0 ' .. now_text .. ' 0 ' .. limit[GRANTS])
    if units == 0 then
        redis.call('PEXPIRE', key, demand.lasts)
    end
    return after
end

local function debit_of_one(demand, place, now, now_text)
    local quick = demand.start and debit_of_window(KEYS[place], demand, now_text)
    if quick then
        return quick
    end
    local paid, buckets = ask(KEYS[place], demand, now)
    if not paid then
        return false
    elseif demand.short then
        return paid == 1 and buckets[1].units or -1 - buckets[1].units
    end
    return long_reply({}, paid, buckets)
end

local function debit_of_many(asked, place, now, want, cutter)
    local reply, only = {}, #asked == 1 and asked[1]
    if (want or 0) == 0 and asked[1].start then
        local quick = debit_of_window(KEYS[place], asked[1], ARGV[2])
        if quick and (only or quick >= 0) then
            return quick
        end
    end
    for number, demand in ipairs(asked) do
        local wants = want and (number == 1 and want or 0)
        local paid, buckets, slice = ask(KEYS[place + number - 1], demand, now, wants, cutter)
        if not paid then
            return false
        end
        if only and only.short and (slice or 0) == 0 then
            return paid == 1 and buckets[1].units or -1 - buckets[1].units
        end
        long_reply(reply, paid, buckets)
        if paid == 1 then
            reply[#reply + 1] = want and slice or nil
            break
        end
    end
    return reply
end

-- Who is asked, by a word of ARGV[3], and the slice that is wanted of whoever pays.
local function asked_by(word, demands)
    local numbers, want = string.match(word, '^([%d+]+):?(%d*)$')
    local asked = {}
    for number in string.gmatch(numbers, '%d+') do
        asked[#asked + 1] = demands[tonumber(number)]
    end
    return asked, tonumber(want)
end

local function demands_from(first, now)
    local demands = {}
    for number = first, #ARGV do
        local demand = cjson.decode(ARGV[number])
        demand.own = {}
        for _, limit in ipairs(demand[2]) do
            demand.own[limit[FIELD]] = true
        end
        local only = demand[2][1]
        demand.short = #demand[2] == 1 and only[KIND] ~= CONTINUOUS
        if demand.short and only[KIND] == INTERVAL then
            demand.start = digits(only[START])
            local bucket = {generation = only[START], units = 0, as_of = now, rate = '0'}
            demand.lasts = digits(lasts_ms(only[FIELD], bucket, now))
        end
        demands[#demands + 1] = demand
    end
    return demands
end

local time = redis.call('TIME')
local clock = time[1] .. string.rep('0', 6 - #time[2]) .. time[2]
if not is_believed(KEYS[1], ARGV[1]) then
    return {clock, 'epoch'}
end
local known = redis.call('GET', KEYS[2])
if known then
    return {clock, unpack(cmsgpack.unpack(known))}
end
local replies = {}
if ARGV[3] == '' then
    replies[1] = 'void'
else
    local me, share, ahead = string.match(ARGV[4], '^(%S+) (%d+) (%S+)$')
    local now = tonumber(ARGV[2])
    if ahead ~= '-' and (now > tonumber(clock) + tonumber(ahead) or now < tonumber(clock) - BEHIND) then
        return {clock, 'untimely'}
    end
    local demands, place = demands_from(5, now), 3
    local cutter, words = {me = me, share = tonumber(share)}, {}
    for word in string.gmatch(ARGV[3], '%S+') do
        local number, fine, reply = tonumber(word), nil, nil
        if number then
            fine, reply = pcall(debit_of_one, demands[number], place, now, ARGV[2])
            place = place + 1
        else
            local asked = words[word] or {asked_by(word, demands)}
            words[word] = asked
            fine, reply = pcall(debit_of_many, asked[1], place, now, asked[2], cutter)
            place = place + #asked[1]
        end
        replies[#replies + 1] = fine and reply
    end
end
redis.call('SET', KEYS[2], cmsgpack.pack(replies), 'PX', digits(REMEMBERED_MS))
return {clock, unpack(replies)}

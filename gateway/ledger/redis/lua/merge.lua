-- What a gateway's journal knows of one scope, put into a ledger that has lost its memory.
--
-- KEYS: the scope's hash. ARGV[1]: now. Then fields and texts. Of two states of one window the later one counts; where they
-- are so near to one another that gateways' clocks, or a call that was held up, may have changed their order, the one in
-- which more was spent does: it has seen all debits of the other, and at worst not all that was given back.

local NEAR_US = 30000000

-- What is missing of two token buckets at the later of their instants.
local function at_one_time(bucket, as_of, window)
    local rate = tonumber(bucket.rate)
    if as_of <= bucket.as_of or rate == 0 then
        return bucket
    end
    local units, rest = flowed(bucket.units, bucket.rest, as_of - bucket.as_of, rate, window)
    return {units = units, rest = rest}
end

local function counts_more(field, one, other)
    if one.generation ~= other.generation then
        return one.generation > other.generation
    elseif math.abs(one.as_of - other.as_of) > NEAR_US then
        return one.as_of > other.as_of
    end
    local window, kind = string.match(field, '^[^|]*|(%d+)|(%a+)|')
    if KINDS[kind] == CONTINUOUS then
        local as_of = math.max(one.as_of, other.as_of)
        one, other = at_one_time(one, as_of, tonumber(window)), at_one_time(other, as_of, tonumber(window))
    end
    if one.units ~= other.units then
        return one.units > other.units
    end
    return one.rest > other.rest
end

local now = tonumber(ARGV[1])
local scope = read_scope(KEYS[1])
for place = 2, #ARGV, 2 do
    local field, text = ARGV[place], ARGV[place + 1]
    local known = scope.buckets[field]
    if not known or counts_more(field, (bucket_from(text)), (bucket_from(known))) then
        set(scope, field, text)
    end
end
write_scope(scope, now)
return 1

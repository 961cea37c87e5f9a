-- Which purse gives what, as gateway/core/account.py says it.

-- By what a purse is burned: lower ranks first, then what is soonest lost, then its place.
local function order_of(purse, place, limits, buckets, now)
    local refills = 0
    for _, index in ipairs(purse[3]) do
        local limit = limits[index]
        local at = math.huge
        if limit[KIND] == CONTINUOUS then
            at = now
        elseif limit[KIND] == INTERVAL then
            local generation = buckets[index].generation
            at = generation == limit[START] and limit[END] or generation + limit[WINDOW]
        end
        refills = math.max(refills, at)
    end
    local ends = purse[2]
    return {purse[1], ends < 0 and refills or math.min(ends, refills), place, purse}
end

local function before(one, other)
    for part = 1, 3 do
        if one[part] ~= other[part] then
            return one[part] < other[part]
        end
    end
    return false
end

local function in_burn_order(purses, limits, buckets, now)
    if #purses < 2 then
        return purses
    end
    local places, ordered = {}, {}
    for place, purse in ipairs(purses) do
        places[place] = order_of(purse, place, limits, buckets, now)
    end
    table.sort(places, before)
    for place, found in ipairs(places) do
        ordered[place] = found[4]
    end
    return ordered
end

-- A demand is {units, purses}, a purse {rank, ends or -1, indices of its limits}. Returns the draws, and what is short.
local function draws_for(demands, limits, buckets, now)
    local draws, short = {}, 0
    for _, demand in ipairs(demands) do
        local need = demand[1]
        for _, purse in ipairs(in_burn_order(demand[2], limits, buckets, now)) do
            local units = need
            for _, index in ipairs(purse[3]) do
                units = math.min(units, left(buckets[index], limits[index]))
            end
            if units > 0 then
                draws[#draws + 1] = {purse[3], units}
                need = need - units
            end
            if need == 0 then
                break
            end
        end
        short = short + need
    end
    return draws, short
end

-- Make the draws. Returns what would give them back.
local function debit(scope, draws, limits, buckets, now)
    local gifts = {}
    for _, draw in ipairs(draws) do
        for _, index in ipairs(draw[1]) do
            local limit, bucket = limits[index], buckets[index]
            take(bucket, limit, draw[2], now)
            set(scope, limit[FIELD], text_of(bucket))
            local closes = bucket.generation == limit[START] and limit[END] or bucket.generation + limit[WINDOW]
            gifts[#gifts + 1] = {limit[FIELD], limit[KIND], bucket.generation, draw[2], closes}
        end
    end
    return gifts
end

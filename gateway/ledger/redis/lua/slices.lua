-- Slices: units that are debited ahead, for one gateway to spend by itself. A slice is {gateway, want, share}: it gets
-- what it wants, and no more than one share of what is left, so that slices shrink as the rest does.

-- Debit a slice on top of what was just paid; how much it got.
local function cut(scope, slice, limit, bucket, now)
    local units = math.min(slice[2], math.floor(left(bucket, limit) / slice[3]))
    local field = '!s:' .. slice[1]
    if units > 0 then
        take(bucket, limit, units, now)
        set(scope, limit[FIELD], text_of(bucket))
        set(scope, field, digits(bucket.generation) .. ' ' .. digits(units))
    elseif scope.slices[field] then
        set(scope, field, false)
    end
    return units
end

-- Whether other gateways hold slices of a bucket's generation.
local function held_by_others(scope, slice, bucket)
    local own, generation = '!s:' .. slice[1], digits(bucket.generation) .. ' '
    for field, text in pairs(scope.slices) do
        if field ~= own and string.sub(text, 1, #generation) == generation then
            return true
        end
    end
    return false
end

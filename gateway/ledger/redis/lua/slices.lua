-- Slices: units that are debited ahead, for one gateway to spend by itself. A slice is {gateway, want, share}: it gets
-- what it wants, and no more than one share of what is left, so that slices shrink as the rest does.

-- Debit a slice on top of what was just paid; how much it got. Who wants none may yet have one that is on its way.
local function cut(scope, slice, limit, bucket, now)
    local units = math.min(slice[2], math.floor(left(bucket, limit) / slice[3]))
    local field = '!s:' .. slice[1]
    if units > 0 then
        take(bucket, limit, units, now)
        set(scope, limit[FIELD], text_of(bucket))
        set(scope, field, digits(bucket.generation) .. ' ' .. digits(units))
    elseif slice[2] > 0 and scope.slices[field] then
        set(scope, field, false)
    end
    return units
end

-- Take away the marks of slices that cannot come back any more: of windows that are over, whoever held them.
local function drop_marks(scope, now)
    for field, mark in pairs(scope.slices) do
        if not scope.changed[field] and not is_live(mark, scope.buckets, now) then
            set(scope, field, false)
        end
    end
end

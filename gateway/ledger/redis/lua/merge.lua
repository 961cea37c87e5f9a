-- What a gateway's journal knows of one scope, put into a ledger that has lost its memory.
--
-- KEYS: the scope's hash. ARGV[1]: now. Then fields and texts. Of two states of one bucket the later one counts: that of
-- the later window, of the later debit, and of one debit that which something was given back from since.

local function is_later(one, other)
    if one.generation ~= other.generation then
        return one.generation > other.generation
    elseif one.as_of ~= other.as_of then
        return one.as_of > other.as_of
    elseif one.units ~= other.units then
        return one.units < other.units
    end
    return one.rest < other.rest
end

local now = tonumber(ARGV[1])
local scope = read_scope(KEYS[1])
for place = 2, #ARGV, 2 do
    local field, text = ARGV[place], ARGV[place + 1]
    local known = scope.buckets[field]
    if not known or is_later((bucket_from(text)), (bucket_from(known))) then
        set(scope, field, text)
    end
end
write_scope(scope, now)
return 1

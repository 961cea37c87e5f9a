-- Marks of slices: a field '!s:' and a gateway, with the generation of which it has a slice, and how much that was. A mark
-- counts as long as a bucket is in that generation and its window is not over: what comes back later is nobody's.

local function is_live(mark, texts, now)
    local generation = string.match(mark, '^%-?%d+')
    for field, text in pairs(texts) do
        if string.byte(field) ~= 33 and string.match(text, '^%-?%d+') == generation then
            local closes = closes_by(field, tonumber(generation))
            if closes and closes > now then
                return true
            end
        end
    end
    return false
end

-- Whether other gateways hold slices of a scope. Marks may stand among the texts.
local function is_held(marks, texts, me, now)
    for field, mark in pairs(marks) do
        if string.sub(field, 1, 3) == '!s:' and field ~= '!s:' .. me and is_live(mark, texts, now) then
            return true
        end
    end
    return false
end

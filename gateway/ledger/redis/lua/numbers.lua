-- Numbers here are doubles: whole ones are exact below 2^53, and nothing here is allowed to become larger.

local EXACT = 9007199254740992

-- The digits of a whole number; tostring and .. would give 14 of them.
local function digits(number)
    return string.format('%.0f', number)
end

-- part * amount divided by whole, with what remains; 0 <= part < whole < 2^52. The product itself may have 80 bits.
local function share(part, amount, whole)
    local product = part * amount
    if product < EXACT then
        local quotient = math.floor(product / whole)
        local rest = product - quotient * whole
        if rest < 0 then
            return quotient - 1, rest + whole
        elseif rest >= whole then
            return quotient + 1, rest - whole
        end
        return quotient, rest
    end
    -- Bit by bit of amount: both limbs are doubled, and part is added where a bit is set.
    local bit = 1
    while bit * 2 <= amount do
        bit = bit * 2
    end
    local quotient, rest = 0, 0
    while bit >= 1 do
        quotient, rest = quotient * 2, rest * 2
        if rest >= whole then
            quotient, rest = quotient + 1, rest - whole
        end
        if amount >= bit then
            amount, rest = amount - bit, rest + part
            if rest >= whole then
                quotient, rest = quotient + 1, rest - whole
            end
        end
        bit = bit / 2
    end
    return quotient, rest
end

-- What of units + rest/window is still missing after elapsed, of which each window brings amount.
local function flowed(units, rest, elapsed, amount, window)
    local windows = math.floor(elapsed / window)
    local part = elapsed - windows * window
    if part < 0 then
        windows, part = windows - 1, part + window
    elseif part >= window then
        windows, part = windows + 1, part - window
    end
    if windows * amount > units then
        return 0, 0
    end
    local back, back_rest = share(part, amount, window)
    units, rest = units - windows * amount - back, rest - back_rest
    if rest < 0 then
        units, rest = units - 1, rest + window
    end
    if units < 0 then
        return 0, 0
    end
    return units, rest
end

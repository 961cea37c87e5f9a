-- What a gateway believes of a ledger: its epoch, and behind a space the run of the server in which it was believed. A
-- server that was started again has another run, and may have come back older, with the marker of then.

-- Whether that is so; then what the marker holds.
local function is_believed(marker, expected)
    local epoch, run = string.match(expected, '^(%S*) (%S*)$')
    local found = redis.call('GET', marker)
    if found ~= epoch then
        return false, found
    end
    return run == '' or string.find(redis.call('INFO', 'server'), 'run_id:' .. run, 1, true) ~= nil, found
end

-- In which run of which server the ledger was believed last, kept beside each marker. A server that was started again has
-- another run; so has a replica that was promoted.
--
-- KEYS: a marker, and its home. ARGV[1]: the home that was found, if it is to become this run; ARGV[2]: what the marker
-- becomes then, empty: it stays. Returns this run (empty: the server does not tell), the home, the marker, and for how many
-- seconds the server has been up.

local fine, info = pcall(redis.call, 'INFO', 'server')
local run = fine and string.match(info, 'run_id:(%w+)') or ''
local up_s = fine and string.match(info, 'uptime_in_seconds:(%d+)') or '0'
local home = redis.call('GET', KEYS[2]) or ''
if ARGV[1] and ARGV[1] == home and run ~= '' then
    redis.call('SET', KEYS[2], run)
    home = run
    if ARGV[2] ~= '' then
        redis.call('SET', KEYS[1], ARGV[2])
    end
end
return {run, home, redis.call('GET', KEYS[1]) or '', up_s}

-- Make an epoch valid, if it still is the one that is being filled. KEYS: its marker. ARGV[1]: the epoch.

if redis.call('GET', KEYS[1]) == '!' .. ARGV[1] then
    redis.call('SET', KEYS[1], ARGV[1])
end
return 1

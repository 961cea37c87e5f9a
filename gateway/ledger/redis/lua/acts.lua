-- Acts on scopes, each atomic, all that were waiting in one call. What is unusual is not decided here: the state is
-- handed out, gateway/core decides, and comes back with what to write if the state is still the same.
--
-- KEYS[1]: the marker with the ledger's epoch; then the scopes' hashes. ARGV[1]: what is believed (epoch.lua).
-- ARGV[2]: a JSON array of acts. ARGV[3]: how far ahead of Redis's clock (us) an act's instant may be; '-': instants
-- are taken as they come. Returns the time in microseconds, and for each act a word and the state before:
--   'done' or 'short', and the texts of the act's limits, then of its gifts; for a slice what it got, or whether
--   others hold some;
--   'stale': nothing was done, the act's instant is not to be trusted;
--   'decide', and fields and texts of all buckets; 'held': the same, and others hold slices of some; 'gone': there is no such hold; 'void': the act was called off;
--   'did', and fields and texts of the buckets before: an act that is kept was done, just now or by whoever sent it first.

-- How long the outcome of an act is remembered at least, so that whoever did not hear it can ask again.
local HORIZON_S = 30

-- A byte that no id has, so that what is kept beside one scope is never another scope's: ids are UTF-8.
local BESIDE = '\255'

local function outcomes_key(key, slot)
    return key .. BESIDE .. digits(slot)
end

-- How long it is remembered of an act that is to be kept, unless its gateway says that it need not.
local KEPT_S = 604800

local function kept_key(key)
    return key .. BESIDE .. 'late'
end

-- What became of an act that was sent before; nil: nothing yet.
local function remembered(key, act, slot)
    local found = act.keep and redis.call('HGET', kept_key(key), act.id)
        or redis.call('HGET', outcomes_key(key, slot), act.id)
        or redis.call('HGET', outcomes_key(key, slot - 1), act.id)
    return found and cmsgpack.unpack(found) or nil
end

local function remember(key, act, slot, reply)
    local place = act.keep and kept_key(key) or outcomes_key(key, slot)
    redis.call('HSET', place, act.id, cmsgpack.pack(reply))
    redis.call('PEXPIRE', place, digits(act.keep and KEPT_S * 1000 or HORIZON_S * 2000 + 1000))
end

local function others_hold(scope, act, texts)
    return act.slice and is_held(scope.slices, texts, act.slice[1], act.now)
end

local function whole_state(scope, act, texts)
    local reply = {others_hold(scope, act, texts) and 'held' or 'decide'}
    for field, text in pairs(texts) do
        reply[#reply + 1] = field
        reply[#reply + 1] = text
    end
    return reply
end

local function state_before(word, act, texts)
    local reply = {word}
    for _, each in ipairs(act.limits or {}) do
        reply[#reply + 1] = texts[each[1]] or false
    end
    for _, each in ipairs(act.gifts or {}) do
        reply[#reply + 1] = texts[each[1]] or false
    end
    return reply
end

-- Whether a bucket that is no limit of the scope any more was fed by a subscription that is: a plan was replaced.
local function is_carried(scope, act)
    for field, text in pairs(scope.buckets) do
        if not act.own[field] and string.match(field, '^[^|]*|[^|]*|(%a+)|') ~= 'never' then
            for _, grant in ipairs(act.grants) do
                if string.find(text, grant, 1, true) then
                    return true
                end
            end
        end
    end
    return false
end

-- The buckets of the act's limits as they are now; nil if core has to look at them.
local function present(scope, act)
    act.own = {}
    local buckets = {}
    for index, limit in ipairs(act.limits) do
        act.own[limit[FIELD]] = true
        local text = scope.buckets[limit[FIELD]]
        local bucket, small = false, true
        if text then
            bucket, small = bucket_from(text)
        end
        if not small then
            return nil
        end
        buckets[index] = refilled(bucket, limit, act.now)
        if limit[CALENDAR] and buckets[index].generation ~= limit[START] then
            return nil -- a window of some calendar, ahead of the clock
        end
    end
    if is_carried(scope, act) then
        return nil
    end
    return buckets
end

local function is_same(scope, expected)
    local count = 0
    for _ in pairs(scope.buckets) do
        count = count + 1
    end
    for place = 1, #expected, 2 do
        if scope.buckets[expected[place]] ~= expected[place + 1] then
            return false
        end
    end
    return count == #expected / 2
end

-- What core has decided upon a state.
local function write_decided(scope, act)
    if not is_same(scope, act.expected) then
        return whole_state(scope, act, scope.buckets)
    end
    for _, change in ipairs(act.changes) do
        set(scope, change[1], change[2] or nil)
    end
    if act.hold then
        put_hold(scope, act.hold[1], act.hold[2], act.hold[3])
    end
    return act.keep and {'did', unpack(act.expected)} or {'done'}
end

local function copy(texts)
    local copied = {}
    for field, text in pairs(texts) do
        copied[field] = text
    end
    return copied
end

local function perform(scope, act)
    if act.ends and not end_hold(scope, act.ends) then
        return {'gone'}
    end
    if act.uncut then
        set(scope, '!s:' .. act.uncut, false)
    end
    if act.expected then
        return write_decided(scope, act)
    end
    local texts = act.gifts and copy(scope.buckets) or scope.buckets
    local gives = not act.gifts or give(scope, act.gifts, act.now)
    if not act.limits then
        return gives and state_before('done', act, texts) or whole_state(scope, act, texts)
    end
    local buckets = gives and not act.decide and present(scope, act)
    if not buckets then
        return whole_state(scope, act, texts)
    end
    local draws, short = draws_for(act.demands, act.limits, buckets, act.now)
    local reply = state_before((short > 0 and not act.most) and 'short' or 'done', act, texts)
    if reply[1] == 'done' and #draws > 0 then
        local gifts = debit(scope, draws, act.limits, buckets, act.now)
        if act.hold then
            put_hold(scope, act.hold[1], act.hold[2], gifts)
        end
    elseif reply[1] == 'done' and act.hold then
        put_hold(scope, act.hold[1], act.hold[2], {})
    end
    if act.slice and reply[1] == 'done' then
        reply[#reply + 1] = digits(cut(scope, act.slice, act.limits[1], buckets[1], act.now))
    elseif act.slice then
        reply[#reply + 1] = others_hold(scope, act, texts) and '1' or '0'
    end
    return reply
end

-- Whether the act's instant is ahead of Redis's clock, behind what is written, or, if it takes something, too far behind
-- Redis's clock. A late debit is behind on purpose.
local function is_out_of_time(scope, act, clock)
    if not clock or act.keep then
        return false
    elseif act.now > clock.us + clock.ahead then
        return true
    elseif act.demands and #act.demands > 0 and act.now < clock.us - BEHIND then
        return true
    end
    for _, limit in ipairs(act.limits or {}) do
        local text = scope.buckets[limit[FIELD]]
        if text and is_stale((bucket_from(text)), limit, act.now, clock.us) then
            return true
        end
    end
    return false
end

-- One act, whole or not at all.
local function act_on(key, act, slot, clock)
    if act.id then
        local known = remembered(key, act, slot)
        if known then
            return known
        end
        if act.void then
            remember(key, act, slot, {'void'})
            return {'void'}
        end
    end
    local scope = read_scope(key)
    if is_out_of_time(scope, act, clock) then
        return {'stale'}
    end
    expire_holds(scope, act.now)
    local reply = perform(scope, act)
    local word = reply[1]
    if word == 'done' or word == 'did' then
        drop_marks(scope, act.now)
        write_scope(scope, act.now)
    end
    if act.id and (word == 'done' or word == 'did' or (act.again and word == 'short')) then
        remember(key, act, slot, reply)
    end
    return reply
end

local time = redis.call('TIME')
local replies = {time[1] .. string.rep('0', 6 - #time[2]) .. time[2]}
local believed, epoch = is_believed(KEYS[1], ARGV[1])
if not believed then
    return {replies[1], {'epoch', epoch}}
end
local slot = math.floor(tonumber(time[1]) / HORIZON_S)
local clock = ARGV[3] ~= '-' and {us = tonumber(replies[1]), ahead = tonumber(ARGV[3])}
for number, act in ipairs(cjson.decode(ARGV[2])) do
    local fine, reply = pcall(act_on, KEYS[act.key + 1], act, slot, clock)
    if not fine then
        reply = {'failed', type(reply) == 'table' and reply.err or tostring(reply)}
    end
    replies[number + 1] = reply
end
return replies

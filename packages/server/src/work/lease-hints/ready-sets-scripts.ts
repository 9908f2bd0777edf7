/**
 * What Redis does about ready items, each script one step. A set per tenant and type (and one over all types) holds the ids at the head
 * of the queue, in the order of the database: scored by `due_at`, ties by id. `about` says when the database was asked (`at`, its own time in
 * microseconds), which count of wake-ups (`seen`) that answer includes, and whether it was the `whole` queue. `taken` are ids given out a
 * moment ago. All times are the database's and come from the caller.
 */
import { defineScript } from '../../redis/script.ts'

const give = `
local function give(set, taken, wanted, now)
  local out = {}
  local popped = redis.call('ZPOPMIN', set, wanted)
  for i = 1, #popped, 2 do
    out[#out + 1] = popped[i]
    redis.call('ZADD', taken, now, popped[i])
  end
  if #out > 0 then redis.call('PEXPIRE', taken, 60000) end
  return out
end`

/**
 * KEYS: set, about, wake-ups, taken, turn. ARGV: wanted, the database's time, how long an answer stays fresh, the shortest time between two
 * questions, how long a turn to ask lasts (ms). Answers: 'given' and ids; 'ask' and the count of wake-ups, when it is the caller's turn to ask
 * the database; or 'none'.
 */
export const takeScript = defineScript(`${give}
local now = tonumber(ARGV[2])
local about = redis.call('HMGET', KEYS[2], 'at', 'seen', 'whole')
local wakes = redis.call('GET', KEYS[3]) or '0'
local age = about[1] and now - tonumber(about[1])
-- The caller knows the time a little late; an answer from further ahead was given before the database's clock was set back.
local known = age and age > -tonumber(ARGV[3])
local fresh = known and age < tonumber(ARGV[3]) and about[2] == wakes
if fresh then
  local out = give(KEYS[1], KEYS[4], ARGV[1], ARGV[2])
  if #out > 0 then
    table.insert(out, 1, 'given')
    return out
  end
  if about[3] == '1' then return { 'none' } end
end
if known and age < tonumber(ARGV[4]) then return { 'none' } end
if not redis.call('SET', KEYS[5], 1, 'NX', 'PX', ARGV[5]) then return { 'none' } end
return { 'ask', wakes }`)

/**
 * KEYS as above. ARGV: wanted, the database's time at the answer, wake-ups counted before the question, whether it is the whole queue ('1'), how
 * long a taken id is not given out again; then score and id of each. Answers the ids that the caller may try.
 */
export const fillScript = defineScript(`${give}
redis.call('DEL', KEYS[1], KEYS[5])
redis.call('ZREMRANGEBYSCORE', KEYS[4], '-inf', string.format('%.0f', ARGV[2] - ARGV[5]))
redis.call('ZREMRANGEBYSCORE', KEYS[4], string.format('(%.0f', ARGV[2] + ARGV[5]), '+inf')
for i = 6, #ARGV, 2 do
  if not redis.call('ZSCORE', KEYS[4], ARGV[i + 1]) then redis.call('ZADD', KEYS[1], ARGV[i], ARGV[i + 1]) end
end
redis.call('HSET', KEYS[2], 'at', ARGV[2], 'seen', ARGV[3], 'whole', ARGV[4])
redis.call('PEXPIRE', KEYS[1], 60000)
redis.call('PEXPIRE', KEYS[2], 60000)
return give(KEYS[1], KEYS[4], ARGV[1], ARGV[2])`)

/** KEYS: wake-ups. Starting over from 1 is told from an old 1 by the random beginning. ARGV: a random number. */
export const wakeScript = defineScript(`
if redis.call('EXISTS', KEYS[1]) == 0 then redis.call('SET', KEYS[1], ARGV[1]) end
redis.call('INCR', KEYS[1])
redis.call('PEXPIRE', KEYS[1], 600000)`)

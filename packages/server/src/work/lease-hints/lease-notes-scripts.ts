/**
 * What Redis does about heartbeats, each script one step. A note is a hash per item, written only after the database judged a heartbeat
 * good: whose lease it is (token, agent, principal; `bare`: a claim without token is good, too), its `ttl`, `until` when the database keeps
 * it, the latest end that was `promised`, `n`, how many heartbeats were absorbed, and `sig`: what the processes know each other's notes by,
 * since anybody who reaches Redis can write one. All times are the database's, in microseconds, and come
 * from the caller; `dirty` holds the notes with heartbeats that the database has not heard of.
 */
import { defineScript } from '../../redis/script.ts'

/**
 * KEYS: dirty, notes. ARGV: the earliest and latest that the database's clock can show; token, agent, principal for each note.
 * Answers for each: the promised end and what was signed (token, bare, ttl, until, sig), by lines; or why the database must be asked.
 */
export const absorbScript = defineScript(`
local earliest, latest = tonumber(ARGV[1]), tonumber(ARGV[2])
local out = {}
for i = 2, #KEYS do
  local a = 3 * i - 3
  local n = redis.call('HMGET', KEYS[i], 'token', 'agent', 'principal', 'bare', 'ttl', 'until', 'promised', 'sig')
  if not (n[1] and n[2] == ARGV[a + 1] and n[3] == ARGV[a + 2] and (n[1] == ARGV[a] or (ARGV[a] == '' and n[4] == '1'))) then
    out[i - 1] = 'unknown'
  elseif not (tonumber(n[5]) and tonumber(n[6]) and tonumber(n[7]) and n[8]) then
    out[i - 1] = 'unknown'
  elseif 2 * (tonumber(n[6]) - latest) < tonumber(n[5]) then
    out[i - 1] = 'near'
  else
    local till = string.format('%.0f', math.max(tonumber(n[7]), earliest + tonumber(n[5])))
    redis.call('HSET', KEYS[i], 'promised', till)
    redis.call('HINCRBY', KEYS[i], 'n', 1)
    redis.call('ZADD', KEYS[1], 'NX', 0, KEYS[i])
    out[i - 1] = table.concat({ till, n[1], n[4] or '', n[5], n[6], n[8] }, '\\n')
  end
end
return out`)

/** KEYS: notes. ARGV for each: token, agent, principal, bare, ttl, until, milliseconds until then, tenant, item, signature. */
export const noteScript = defineScript(`
local function grant(token)
  local epoch, generation = string.match(token, '^wl%.(%d+)%.(%d+)%.')
  return tonumber(epoch) or 0, tonumber(generation) or 0
end
for i = 1, #KEYS do
  local a = 10 * i - 9
  local token, till, promised, sig = ARGV[a], ARGV[a + 5], ARGV[a + 5], ARGV[a + 9]
  local old = redis.call('HMGET', KEYS[i], 'token', 'until', 'promised', 'sig')
  local late = false
  if old[1] and old[1] ~= token then
    local e, g = grant(token)
    local oe, og = grant(old[1])
    -- An answer that was overtaken: the item has been leased again since.
    late = oe > e or (oe == e and og > g)
    if not late then redis.call('DEL', KEYS[i]) end
  elseif old[1] then
    if (tonumber(old[2]) or 0) > tonumber(till) then till, sig = old[2], old[4] or '' end
    if (tonumber(old[3]) or 0) > tonumber(promised) then promised = old[3] end
  end
  if not late then
    redis.call('HSET', KEYS[i], 'token', token, 'agent', ARGV[a + 1], 'principal', ARGV[a + 2], 'bare', ARGV[a + 3], 'ttl', ARGV[a + 4],
      'until', till, 'promised', promised, 'tenant', ARGV[a + 7], 'item', ARGV[a + 8], 'sig', sig)
    redis.call('HSETNX', KEYS[i], 'n', 0)
    redis.call('PEXPIRE', KEYS[i], ARGV[a + 6])
  end
end`)

/** KEYS: notes. ARGV for each: the token of the live lease, or nothing. A note of any other lease goes. */
export const dropScript = defineScript(`
for i = 1, #KEYS do
  local token = redis.call('HGET', KEYS[i], 'token')
  if token and token ~= ARGV[i] then redis.call('DEL', KEYS[i]) end
end`)

/**
 * KEYS: dirty. ARGV: how many, for how many milliseconds. A claimed note is out of the others' sight for that long; who claimed it and
 * died loses nothing. The score is when it is due: 0 = now. Later than any claim lasts: the clock of Redis was set back, it is due as well.
 * Answers for each whose end the database does not know yet: note, n, tenant, item, token, agent, principal, promised.
 */
export const claimScript = defineScript(`
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local later = string.format('%.0f', now + ARGV[2])
local out = {}
local function claim(notes)
  for _, note in ipairs(notes) do
    local n = redis.call('HMGET', note, 'n', 'tenant', 'item', 'token', 'agent', 'principal', 'promised', 'until')
    if n[8] and tonumber(n[7]) > tonumber(n[8]) then
      redis.call('ZADD', KEYS[1], later, note)
      out[#out + 1] = note
      for f = 1, 7 do out[#out + 1] = n[f] end
    else
      redis.call('ZREM', KEYS[1], note)
    end
  end
end
claim(redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', string.format('%.0f', now), 'LIMIT', 0, ARGV[1]))
claim(redis.call('ZRANGEBYSCORE', KEYS[1], '(' .. later, '+inf', 'LIMIT', 0, ARGV[1]))
return out`)

/** KEYS: dirty, notes. ARGV: n of each when it was claimed. A heartbeat that came since is due now. */
export const doneScript = defineScript(`
for i = 2, #KEYS do
  local n = redis.call('HGET', KEYS[i], 'n')
  if n and n ~= ARGV[i - 1] then redis.call('ZADD', KEYS[1], 'XX', 0, KEYS[i]) else redis.call('ZREM', KEYS[1], KEYS[i]) end
end`)

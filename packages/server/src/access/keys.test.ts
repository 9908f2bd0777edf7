/** Stories of create_key, list_keys, rotate_key and revoke_key. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { createCaller, type Caller } from '../../testing/test-server.ts'
import { startStory, type Story } from '../../testing/story.ts'

let story: Story
let admin: Caller
beforeAll(async () => {
  story = await startStory()
  admin = await story.server.caller('person', 'adam')
})
afterAll(() => story.server.stop())

const create = (body: object, who = admin) =>
  who.post('/keys', { name: 'k', kind: 'agent', principal_id: 'worker', abilities: ['work:checkout'], ...body })
const use = (key: string) => createCaller(story.server.url, key, 'x')
const keyEvents = () =>
  story.server.database.sql<{ kind: string; payload: any }>(`select kind, payload from record where kind like 'key.%' order by position`)

describe('keys that the command line makes', () => {
  it('leave the same events on the record as those made through the door', async () => {
    const { keys } = story.server.manager
    const made = await keys.create({ tenant: 'acme', kind: 'agent', principalId: 'shell', name: 'by hand', abilities: ['work:view'] })
    const next = await keys.rotate('acme', made.id)
    await keys.revoke('acme', next.id)
    const about = (await story.server.database.sql<{ kind: string; principal: string }>(
      `select kind, principal from record where payload->>'key_id' in ($1, $2) order by position`,
      [made.id, next.id],
    )) as unknown[]
    expect(about).toEqual(['key.created', 'key.rotated', 'key.revoked'].map((kind) => ({ kind, principal: 'system:cli' })))
    await expect(keys.rotate('acme', made.id)).rejects.toMatchObject({ code: 'key_revoked' })
  })
})

describe('keys', () => {
  it('are made, work for what they hold, and are listed without the key itself', async () => {
    const made = await create({ name: 'night shift', abilities: ['work:view'] })
    expect(made.status, made.text).toBe(201)
    const caller = use(made.body.key)
    expect((await caller.get('/orders')).status).toBe(200)
    const refused = await caller.post('/checkout')
    expect([refused.status, refused.body.code, refused.body.ability]).toEqual([403, 'scope_missing', 'work:checkout'])
    const listed = await admin.get('/keys')
    expect(listed.body.keys.find((key: any) => key.id === made.body.id)).toMatchObject({
      name: 'night shift',
      kind: 'agent',
      principal_id: 'worker',
      abilities: ['work:view'],
      created_by: 'person:adam',
      revoked_at: null,
    })
    expect(listed.text).not.toContain(made.body.key)
    const stored = JSON.stringify(
      await story.server.database.sql(`select * from wm.api_keys union all select * from wm.api_keys where false`),
    )
    expect(stored).not.toContain(made.body.key)
    expect(JSON.stringify(await keyEvents())).not.toContain(made.body.key)
    expect((await keyEvents()).at(-1)).toMatchObject({ kind: 'key.created', payload: { key_id: made.body.id } })
  })

  it.each([
    ['an unknown ability', { abilities: ['work:fly'] }],
    ['no ability', { abilities: [] }],
    ['an unknown kind', { kind: 'robot' }],
    ['a principal with a space', { principal_id: 'a b' }],
    ['an end in the past', { expires_at: '2020-01-01T00:00:00Z' }],
    ['an end that is no time', { expires_at: 'soon' }],
  ])('are refused with %s', async (_what, body) => {
    const answer = await create(body)
    expect([answer.status, answer.body.code], answer.text).toEqual([422, 'validation_failed'])
  })

  it('end at their time', async () => {
    const made = await create({ abilities: ['work:view'], expires_at: new Date(Date.now() + 3_600_000).toISOString() })
    await story.server.database.sql(`update wm.api_keys set expires_at = now() - interval '1 second' where id = $1`, [made.body.id])
    const answer = await use(made.body.key).get('/orders')
    expect([answer.status, answer.body.code]).toEqual([401, 'key_expired'])
  })

  it('rotate with an overlap: both work, then only the new one; twice is refused', async () => {
    const old = (await create({ abilities: ['work:view'] })).body
    const next = await admin.post(`/keys/${old.id}/rotate`, { overlap_seconds: 3600 })
    expect(next.status, next.text).toBe(201)
    expect((await use(old.key).get('/orders')).status).toBe(200)
    expect((await use(next.body.key).get('/orders')).status).toBe(200)
    const again = await admin.post(`/keys/${old.id}/rotate`)
    expect([again.status, again.body.code]).toEqual([401, 'key_revoked'])
    const row = (await admin.get('/keys')).body.keys.find((key: any) => key.id === old.id)
    expect(row.replaced_by).toBe(next.body.id)
    const short = (await create({ abilities: ['work:view'] })).body
    await admin.post(`/keys/${short.id}/rotate`, { overlap_seconds: 0 })
    const ended = await use(short.key).get('/orders')
    expect([ended.status, ended.body.code]).toEqual([401, 'key_revoked'])
  })

  it('rotate once when asked four times at once', async () => {
    const old = (await create({ abilities: ['work:view'] })).body
    const answers = await Promise.all(Array.from({ length: 4 }, () => admin.post(`/keys/${old.id}/rotate`)))
    expect(answers.map((answer) => answer.status).sort((a, b) => a - b)).toEqual([201, 401, 401, 401])
  })

  it('end when revoked; once more changes nothing', async () => {
    const made = (await create({ abilities: ['work:view'] })).body
    expect((await admin.post(`/keys/${made.id}/revoke`)).body).toEqual({ revoked: true })
    expect((await use(made.key).get('/orders')).body.code).toBe('key_revoked')
    const before = (await keyEvents()).length
    expect((await admin.post(`/keys/${made.id}/revoke`)).status).toBe(200)
    expect((await keyEvents()).length).toBe(before)
    expect((await admin.post('/keys/01890a5d-ac96-774b-bcce-b302099a8057/revoke')).body.code).toBe('not_found')
    expect((await admin.post('/keys/01890a5d-ac96-774b-bcce-b302099a8057/rotate')).body.code).toBe('not_found')
  })

  it('need the ability to manage keys', async () => {
    for (const answer of [await story.agent.get('/keys'), await create({}, story.agent)])
      expect([answer.status, answer.body.code]).toEqual([403, 'scope_missing'])
  })
})

describe('a key grants no more than its holder has', () => {
  it('by making one', async () => {
    const clerk = await story.server.caller('person', 'clerk', { abilities: ['admin:keys', 'work:view'] })
    expect((await create({ abilities: ['work:view'] }, clerk)).status).toBe(201)
    for (const ability of ['work:approve', 'work:*', 'admin:*', '*']) {
      const answer = await create({ abilities: ['work:view', ability] }, clerk)
      expect([answer.status, answer.body.code], ability).toEqual([403, 'scope_missing'])
      expect(answer.body.detail).toContain(ability)
    }
  })

  it('nor by rotating a mightier one', async () => {
    const clerk = await story.server.caller('person', 'clerk-2', { abilities: ['admin:keys', 'work:view'] })
    const mighty = await story.server.caller('person', 'boss', { abilities: ['work:*'] })
    const { id } = (await admin.get('/keys')).body.keys.find((key: any) => key.principal_id === 'boss')
    const answer = await clerk.post(`/keys/${id}/rotate`)
    expect([answer.status, answer.body.code], answer.text).toEqual([403, 'scope_missing'])
    expect((await mighty.get('/orders')).status).toBe(200)
  })

  it('nor does an agent or a service become a person: only a person makes or rotates a key of a person', async () => {
    const mine = (await create({ kind: 'person', principal_id: 'pat', abilities: ['work:approve'] })).body
    for (const kind of ['agent', 'service'] as const) {
      const robot = await story.server.caller(kind, `robot-${kind}`, { abilities: ['*'] })
      expect((await create({ kind: 'person', principal_id: 'puppet', abilities: ['work:approve'] }, robot)).body.code).toBe(
        'agents_cannot_decide',
      )
      expect((await robot.post(`/keys/${mine.id}/rotate`)).body.code).toBe('agents_cannot_decide')
      expect((await create({ principal_id: 'worker-9' }, robot)).status).toBe(201)
    }
  })
})

describe('the key of a person', () => {
  const wanted = { kind: 'person', principal_id: 'ida', name: 'Ida', abilities: ['work:view', 'work:approve'] }

  it('is seen by nobody else: whoever makes or rotates it gets an invitation, which can do nothing but be redeemed, once', async () => {
    const { body } = await create(wanted)
    expect(body).toMatchObject({ key: null, invitation: expect.stringMatching(/^wm_i_/), claim_until: expect.any(String) })
    const invited = use(body.invitation)
    for (const answer of [await invited.get('/orders'), await invited.post('/checkout'), await invited.get('/keys')])
      expect([answer.status, answer.body.code]).toEqual([403, 'scope_missing'])
    const listed = () => admin.get('/keys').then((answer) => answer.body.keys.find((key: any) => key.id === body.id))
    expect(await listed()).toMatchObject({ invitation: true, abilities: wanted.abilities, makers: ['person:adam'], revoked_at: null })
    const claims = await Promise.all(Array.from({ length: 4 }, () => invited.post('/keys/claim')))
    expect(claims.map(({ status }) => status).toSorted((a, b) => a - b)).toEqual([201, 401, 401, 401])
    const { key, id } = claims.find(({ status }) => status === 201)!.body
    expect((await use(key).get('/orders')).status).toBe(200)
    expect(await listed()).toMatchObject({ replaced_by: id })
    expect((await keyEvents()).slice(-3).map(({ kind }) => kind)).toEqual(['key.invited', 'key.claimed', 'key.created'])
    const rotated = await admin.post(`/keys/${id}/rotate`)
    expect(rotated.body).toMatchObject({ key: null, invitation: expect.stringMatching(/^wm_i_/) })
    expect((await use(rotated.body.invitation).post('/keys/claim')).body.key).toMatch(/^wm_p_/)
  })

  it('is shown to themselves: made and rotated', async () => {
    const made = await create({ ...wanted, principal_id: 'adam' })
    expect(made.body).toMatchObject({ key: expect.stringMatching(/^wm_p_/), invitation: null })
    expect((await admin.post(`/keys/${made.body.id}/rotate`)).body.key).toMatch(/^wm_p_/)
  })

  it('is bound to what it was made for: its abilities and its end', async () => {
    const until = new Date(Date.now() + 3_600_000).toISOString()
    const { body } = await create({ ...wanted, abilities: ['work:view'], expires_at: until, claim_within_hours: 1 })
    const { id, key } = (await use(body.invitation).post('/keys/claim')).body
    expect((await use(key).get('/keys')).body.code).toBe('scope_missing')
    const row = (await admin.get('/keys')).body.keys.find((one: any) => one.id === id)
    expect(Date.parse(row.expires_at)).toBe(Date.parse(until))
    expect(row).toMatchObject({ principal_id: 'ida', created_by: 'person:ida', makers: ['person:adam'] })
  })

  it('that was revoked before it was taken cannot be taken', async () => {
    const { body } = await create(wanted)
    await admin.post(`/keys/${body.id}/revoke`)
    expect((await use(body.invitation).post('/keys/claim')).body.code).toBe('key_revoked')
  })

  it('in the process: whoever owns the database makes keys, or invites', async () => {
    const { keys } = story.server.manager
    const request = { tenant: 'acme', kind: 'person' as const, principalId: 'ida', name: 'Ida', abilities: ['work:view'] }
    expect((await keys.create(request)).key).toMatch(/^wm_p_/)
    const { invitation } = await keys.invite(request)
    expect((await keys.claim(invitation!)).key).toMatch(/^wm_p_/)
    await expect(keys.claim(invitation!)).rejects.toMatchObject({ code: 'key_revoked' })
    await expect(keys.claim((await keys.create(request)).key)).rejects.toMatchObject({ code: 'not_an_invitation' })
  })
})

describe('agents and services with admin:keys', () => {
  it.each(['agent', 'service'] as const)('end no key with more rights than their own, and none of a person (%s)', async (kind) => {
    const robot = await story.server.caller(kind, `janitor-${kind}`, { abilities: ['admin:keys', 'work:view'] })
    const weak = (await create({ abilities: ['work:view'] })).body
    const strong = (await create({ abilities: ['work:view', 'work:checkout'] })).body
    expect((await robot.post(`/keys/${strong.id}/revoke`)).body.code).toBe('scope_missing')
    expect((await use(strong.key).get('/orders')).status).toBe(200)
    expect((await robot.post(`/keys/${weak.id}/revoke`)).status).toBe(200)
    const invitation = (await create({ kind: 'person', principal_id: 'pia', abilities: ['work:view'] })).body
    expect((await robot.post(`/keys/${invitation.id}/revoke`)).body.code).toBe('agents_cannot_decide')
    expect((await robot.post(`/keys/${invitation.id}/rotate`)).body.code).toBe('agents_cannot_decide')
  })
})

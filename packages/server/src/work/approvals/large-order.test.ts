/** An order whose documents are too large to be loaded together is refused by name, before any of them is read. */
import Type from 'typebox'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { startStory, type Story } from '../../../testing/story.ts'
import { makeDiff } from '../applying/diff.ts'
import { defineOrderType } from '../order-types/define-order-type.ts'

const definition = {
  payload: Type.Object({ items: Type.Integer() }),
  input: Type.Object({ n: Type.Integer() }),
  result: Type.Object({ blob: Type.String() }),
  plan: ({ payload }: { payload: { items: number } }) => Array.from({ length: payload.items }, (_, n) => ({ input: { n } })),
  apply: () => makeDiff({}, {}),
}
const large = defineOrderType({ type: 'test.large', ...definition })
const automatic = defineOrderType({ type: 'test.automatic', ...definition, autoApprove: true, canApprove: () => [] })

let story: Story
beforeAll(async () => {
  story = await startStory({ types: [large, automatic] })
})
afterAll(() => story.server.stop())

/** As handed in one by one, in less time. */
async function full(type: string, megabytes: number): Promise<string> {
  const { id } = await story.propose({ items: megabytes }, { type })
  await story.server.database.sql(
    `set session_replication_role = replica;
     insert into wm.submissions (tenant_id, id, order_id, item_id, number, result, digest, submitted_by_agent_id, submitted_by_principal, generation, decided_at)
       select i.tenant_id, gen_random_uuid(), i.order_id, i.id, 1, json_build_object('blob', repeat('x', 1048576)), 'sha256:0', 'a', 'a', 1, now()
         from wm.items i where i.order_id = '${id}';
     update wm.items set state = 'submitted', submission_number = 1 where order_id = '${id}';
     update wm.orders set state = 'submitted', items_submitted = items_total where id = '${id}';
     set session_replication_role = origin`,
  )
  return id
}

it('people hear it at approval, and may reject it', async () => {
  const order = await full('test.large', 65)
  const refused = await story.reviewer.post(`/orders/${order}/approve`, { digest: `sha256:${'0'.repeat(64)}` })
  expect([refused.status, refused.body.code]).toEqual([413, 'order_too_large'])
  expect(refused.body.detail).toMatch(/^The documents of the order have 6\d{7} bytes; at most 67108864/)
  expect(
    (await story.reviewer.post(`/orders/${order}/reject`, { errors: [{ field: 'items', code: 'too_large', message: 'Too large.' }] }))
      .status,
  ).toBe(200)
})

it('automatic approval leaves it to a person, once', async () => {
  const order = await full('test.automatic', 65)
  await story.server.run('auto-approver')
  await story.server.run('auto-approver')
  const said = await story.server.database.sql(
    `select payload->>'code' as code from wm.unnumbered where root_id = $1 and kind = 'order.auto_approval_failed'
     union all select payload->>'code' from wm.events where root_id = $1 and kind = 'order.auto_approval_failed'`,
    [order],
  )
  expect(said).toEqual([{ code: 'order_too_large' }])
})

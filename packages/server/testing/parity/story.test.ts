/** Door parity: the same story, told through every door, leaves equal answers, refusals, rows and events. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { createClient, isWorkError } from '../../../sdk/src/index.ts'
import { startTestServer, type TestServer } from '../test-server.ts'
import { type Door, doorNames, doorsTo } from './doors.ts'
import { essayInParts } from './essay-in-parts.ts'
import { steps } from './story-steps.ts'
import { type Telling, tellStory } from './tell-story.ts'

let server: TestServer
let doors: readonly Door[]
let overHttp: Telling
beforeAll(async () => {
  server = await startTestServer({ types: [essayInParts], background: false })
  doors = doorsTo(server.url, { createClient, isWorkError })
  overHttp = await tellStory(server, doors[0]!, 'door-0')
})
afterAll(async () => {
  for (const door of doors) await door.close()
  await server.stop()
})

it('the story, over HTTP, goes as it should', async () => {
  const expected = steps.flatMap(({ says, refused }) => (refused === undefined ? [] : [[says, refused]]))
  expect(Object.entries(overHttp.refusals)).toEqual(expected)
  for (const [n, says] of overHttp.said.entries())
    if (says.includes(', again: ')) expect(says.replace(', again: ', ': ')).toBe(overHttp.said[n - 1])
  expect(Object.entries(overHttp.remains).map(([table, rows]) => [table, rows.length])).toEqual([
    ['orders', 1],
    ['items', 2],
    ['submissions', 2],
    ['parts', 3],
    ['approvals', 1],
    ['effects', 1],
    ['records', 2],
    // Two refusals that were remembered as events kept no answer: their keys may be used again.
    ['idempotency', 6],
    ['record', overHttp.remains['record']!.length],
  ])
  expect(overHttp.remains['orders']![0]).toContain('"state":"completed"')
  const [kinds] = await server.database.sql<{ kinds: string[] }>(
    `select array_agg(kind order by position) as kinds from record where tenant_id = (select id from wm.tenants where slug = 'door-0')`,
  )
  expect(kinds!.kinds).toEqual(
    expect.arrayContaining(['order.proposed', 'item.part_refused', 'item.leased', 'order.approved', 'order.applied']),
  )
})

describe.each(doorNames.slice(1).map((name, n) => [name, n + 1] as const))('%s', (name, n) => {
  let telling: Telling
  beforeAll(async () => {
    expect(doors[n]!.name).toBe(name)
    telling = await tellStory(server, doors[n]!, `door-${n}`)
  })

  it('refuses with the same codes', () => expect(telling.refusals).toEqual(overHttp.refusals))
  // A tool's answer fits a model: of a long list of events it gives as many as there is room for.
  const fitting = (said: readonly string[]) =>
    name.startsWith('MCP') ? said.map((line) => line.replace(/"events":\[.*$/, '"events":[…')) : said
  it('answers the same', () => expect(fitting(telling.said)).toEqual(fitting(overHttp.said)))
  it.each(['orders', 'items', 'submissions', 'parts', 'approvals', 'effects', 'records', 'idempotency', 'record'])(
    'leaves equal %s',
    (table) => expect(telling.remains[table]).toEqual(overHttp.remains[table]),
  )
})

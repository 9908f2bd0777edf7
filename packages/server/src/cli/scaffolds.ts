/** Files to begin with: each loads as it is, and its test passes. */

export interface ScaffoldFile {
  readonly name: string
  readonly text: string
}

/** `LicenceAudit`, `licence_audit` and `licence.audit` are the same words. */
const wordsOf = (name: string): string[] =>
  name
    .replaceAll(/([a-z\d])([A-Z])/g, '$1 $2')
    .split(/[^A-Za-z\d]+/)
    .filter((word) => word !== '')
    .map((word) => word.toLowerCase())

export const dottedName = (name: string): string => wordsOf(name).join('.')
const fileName = (name: string): string => wordsOf(name).join('-')

export function orderTypeFiles(name: string, options: { type: string; parts: boolean; test: boolean }): ScaffoldFile[] {
  const file = `${fileName(name)}.ts`
  const type = options.parts ? withParts(options.type) : plain(options.type)
  const test = options.parts ? partsTest(file) : plainTest(file)
  return [{ name: file, text: type }, ...(options.test ? [{ name: `${fileName(name)}.test.ts`, text: test }] : [])]
}

const plain = (
  type: string,
) => `/** An order type: what is asked for, what agents hand in, what is checked, and what an approved order changes. */
import { defineOrderType } from '@work-manager/server/order-type'

export default defineOrderType({
  type: '${type}',
  title: '${type}',
  description: 'Say in one sentence what an order of this type brings about.',
  // What whoever proposes an order must say.
  payload: {
    type: 'object',
    properties: { subjects: { type: 'array', items: { type: 'string', minLength: 1 }, minItems: 1, maxItems: 100 } },
    required: ['subjects'],
    additionalProperties: false,
  },
  // What an agent is given for one item …
  input: { type: 'object', properties: { subject: { type: 'string' } }, required: ['subject'] },
  // … and what it must hand in.
  result: {
    type: 'object',
    properties: { summary: { type: 'string', minLength: 10, maxLength: 2000 } },
    required: ['summary'],
    additionalProperties: false,
  },
  // One item for each subject.
  plan: ({ payload }) => (payload as { subjects: string[] }).subjects.map((subject) => ({ input: { subject } })),
  // Checks beyond the schema: pure, and each finding says what to do about it.
  verify: [
    {
      name: 'the summary names its subject',
      check({ input, result }) {
        const { subject } = input as { subject: string }
        const { summary } = result as { summary: string }
        return summary.includes(subject) ? [] : [{ field: 'summary', code: 'subject_missing', message: \`Name '\${subject}' in the summary.\` }]
      },
    },
  ],
  // Runs once, after a person approved exactly these results; everything in it commits together.
  async apply({ items, records, diff }) {
    const summaries: Record<string, unknown> = {}
    for (const item of items) {
      const { subject } = item.input as { subject: string }
      await records.put('${type}', subject, item.result)
      summaries[subject] = item.result
    }
    return diff({}, summaries, \`\${items.length} written\`)
  },
})
`

const withParts = (
  type: string,
) => `/** An order type: what is asked for, what agents hand in, what is checked, and what an approved order changes. */
import { defineOrderType } from '@work-manager/server/order-type'

const section = {
  type: 'object',
  properties: { text: { type: 'string', minLength: 10 } },
  required: ['text'],
  additionalProperties: false,
} as const
const keys = ['introduction', 'body'] as const

export default defineOrderType({
  type: '${type}',
  title: '${type}',
  description: 'Say in one sentence what an order of this type brings about.',
  payload: { type: 'object', properties: { subject: { type: 'string', minLength: 1 } }, required: ['subject'], additionalProperties: false },
  result: {
    type: 'object',
    properties: { introduction: section, body: section },
    required: [...keys],
    additionalProperties: false,
  },
  // Parts are handed in and checked one by one; finalize puts them together, by key, as the result.
  parts: { schemas: { introduction: section, body: section }, required: () => [...keys] },
  async apply({ order, items, records, diff }) {
    const { subject } = order.payload as { subject: string }
    await records.put('${type}', subject, items[0]?.result)
    return diff({}, { [subject]: items[0]?.result }, \`\${subject} written\`)
  },
})
`

const imports = (file: string) => `import assert from 'node:assert/strict'
import { test } from 'node:test'
import { testOrderType } from '@work-manager/server/testing'
import type from './${file}'
`

const plainTest = (file: string) => `/** Runs with: work-manager test ${file.replace(/\.ts$/, '.test.ts')} */
${imports(file)}
test('an order is planned, worked on, approved and applied', async () => {
  const kit = testOrderType(type)
  assert.equal((await kit.plan({ subjects: ['one', 'two'] })).length, 2)
  assert.deepEqual(await kit.submit(0, { summary: 'This is about one.' }), [])
  assert.deepEqual(await kit.submit(1, { summary: 'This is about two.' }), [])
  assert.deepEqual(await kit.approve(), [])
  assert.equal((await kit.apply()).summary, '2 written')
  assert.deepEqual(await kit.records.get(type.type, 'one'), { summary: 'This is about one.' })
})

test('a summary that does not name its subject is refused', async () => {
  const kit = testOrderType(type)
  await kit.plan({ subjects: ['one'] })
  const [finding] = await kit.submit(0, { summary: 'This is about something else.' })
  assert.equal(finding?.code, 'subject_missing')
})
`

const partsTest = (file: string) => `/** Runs with: work-manager test ${file.replace(/\.ts$/, '.test.ts')} */
${imports(file)}
test('parts are handed in, put together, approved and applied', async () => {
  const kit = testOrderType(type)
  await kit.plan({ subject: 'otters' })
  assert.deepEqual(await kit.submitPart(0, 'introduction', { text: 'Otters swim well.' }), [])
  assert.deepEqual(await kit.submitPart(0, 'body', { text: 'They also hold hands.' }), [])
  assert.deepEqual(await kit.finalize(0), [])
  assert.deepEqual(await kit.approve(), [])
  assert.equal((await kit.apply()).summary, 'otters written')
})

test('finalize asks for the part that is missing', async () => {
  const kit = testOrderType(type)
  await kit.plan({ subject: 'otters' })
  await kit.submitPart(0, 'introduction', { text: 'Otters swim well.' })
  const [finding] = await kit.finalize(0)
  assert.equal(finding?.field, 'body')
})
`

export function generatorFiles(name: string, options: { type: string }): ScaffoldFile[] {
  return [
    {
      name: `${fileName(name)}.ts`,
      text: `/** Looks for work on a schedule and proposes it as orders. \`work-manager generate --dry-run\` shows what it would find now. */
import { defineGenerator } from '@work-manager/server/order-type'

export default defineGenerator({
  name: '${dottedName(name)}',
  // Minute, hour, day, month, weekday, in UTC: every night at three.
  schedule: '0 3 * * *',
  generate({ now }) {
    const day = now.toISOString().slice(0, 10)
    // The same key is proposed once, however often this runs.
    return [{ type: '${options.type}', payload: { subjects: [day] }, key: day, priority: 0 }]
  },
})
`,
    },
  ]
}

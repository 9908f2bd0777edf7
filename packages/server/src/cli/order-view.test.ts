import picocolors from 'picocolors'
import { expect, test } from 'vitest'
import type { Item, Order } from './answers.ts'
import { contentLines, countEvidence, orderLines } from './order-view.ts'

const paint = picocolors.createColors(false)
const entry = { url: 'file:node_modules/a/LICENSE', hash: `sha256:${'0'.repeat(64)}`, quote: 'MIT' }

const item = {
  ordinal: 0,
  state: 'submitted',
  result: { packages: [{ name: 'a\u001b[2J', evidence: [entry] }] },
  assembled_result: null,
  evidence: [entry],
} as unknown as Item
const order = {
  id: '01890a5d-ac96-774b-bcce-b302099a8057',
  type: 'dependency.license-audit',
  type_version: 1,
  state: 'submitted',
  revision: 2,
  requested_by_type: 'agent',
  requested_by_id: 'demo',
  payload: { note: '\u202eevil' },
  items_total: 1,
  items_submitted: 1,
  last_apply_error: null,
  digest: 'sha256:abc',
  items: [item],
} as unknown as Order

test('evidence is counted wherever a document keeps it', () => {
  expect(countEvidence(null)).toBe(0)
  expect(countEvidence([entry, { url: 'https://example.org' }])).toBe(1)
  expect(countEvidence(item.result)).toBe(1)
})

test('the reviewer sees order, type, items, evidence and digest, with agent text made inert', () => {
  const text = orderLines(order, paint).join('\n')
  expect(text).toContain('01890a5d-ac96-774b-bcce-b302099a8057')
  expect(text).toContain('dependency.license-audit (version 1)')
  expect(text).toContain('submitted, revision 2')
  expect(text).toContain('1 of 1 handed in, 2 pieces of evidence')
  expect(text).toContain('sha256:abc')
  expect(text).not.toContain('\u202e')
})

test('every item is shown with its evidence and content, entry by entry', () => {
  const lines = contentLines(order, paint)
  expect(lines[0]).toMatch(/^item 0 +submitted, 2 pieces of evidence$/)
  expect(lines[1]).toBe('  packages (1):')
  expect(lines[2]).toMatch(/^ {4}\{"name":"a/)
  expect(lines.join()).not.toContain('\u001b')
})

test('a long list is cut, and that is said', () => {
  const long = { ...item, result: { rows: Array.from({ length: 30 }, (_, n) => n), ok: true } } as Item
  const lines = contentLines({ ...order, items: [long] }, paint)
  expect(lines).toContain('    … and 5 more; work-manager orders show --json has them all')
  expect(lines.at(-1)).toBe('  ok: true')
})

test('a very long document is cut, and that is said', () => {
  const [, , , , payload] = orderLines({ ...order, payload: { text: 'x'.repeat(5000) } }, paint)
  expect(payload).toMatch(/… \(\d+ more characters; --json shows all\)$/)
})

import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { defineGenerator } from '../generators/define-generator.ts'
import { defineOrderType } from './define-order-type.ts'
import { loadOrderTypes } from './load-order-types.ts'
import { createRegistry } from './registry.ts'
import { shippedOrderTypes } from './shipped/index.ts'

const named = (type: string, more: object = {}) =>
  defineOrderType({ type, payload: { type: 'object' }, result: { type: 'object' }, apply: (ctx) => ctx.diff({}, {}), ...more })

describe('createRegistry', () => {
  it('finds, lists by name and suggests', () => {
    const registry = createRegistry({ types: [named('b.two'), named('a.one')] })
    expect(registry.list().map((t) => t.type)).toEqual(['a.one', 'b.two'])
    expect(registry.get('a.one')?.type).toBe('a.one')
    expect(registry.get('constructor')).toBeUndefined()
    expect(registry.nearest('a.oen')).toBe('a.one')
    expect(registry.nearest('something.else')).toBeUndefined()
  })

  it('refuses two types of one name, and names both', () => {
    expect(() => createRegistry({ types: [named('a.one', { title: 'First' }), named('a.one', { title: 'Second' })] })).toThrow(
      /'First'.*'Second'/,
    )
  })

  it('refuses what was not made by defineOrderType', () => {
    expect(() => createRegistry({ types: [{ type: 'x' }] })).toThrow(/types\[0\] was not made by defineOrderType/)
    const generator = defineGenerator({ name: 'g', schedule: '* * * * *', generate: () => [] })
    expect(() => createRegistry({ types: [], generators: [generator, generator] })).toThrow(/two generators are named 'g'/)
  })

  it('describes a type with the values that hold for it', () => {
    const registry = createRegistry({
      types: [named('a.one', { leaseTtlSeconds: 30 }), named('b.two')],
      defaults: { leaseTtlSeconds: 900, maxAttempts: 5 },
    })
    expect(registry.describe('a.one')).toMatchObject({
      lease_ttl_seconds: 30,
      max_attempts: 5,
      auto_approve: false,
      parts_note: null,
      schemas: { payload: { type: 'object' }, parts: null },
    })
    expect(registry.describe('b.two')).toMatchObject({ lease_ttl_seconds: 900, require_lease_token: true })
    expect(registry.describe('none')).toBeUndefined()
  })

  it('the digest depends on the schemas and not on the order of their keys', () => {
    const digest = (payload: object) => createRegistry({ types: [named('a', { payload })] }).describe('a')?.digest
    expect(digest({ type: 'object', title: 'x' })).toBe(digest({ title: 'x', type: 'object' }))
    expect(digest({ type: 'object', title: 'y' })).not.toBe(digest({ type: 'object', title: 'x' }))
  })

  it('holds every shipped type', () => {
    const registry = createRegistry({ types: shippedOrderTypes })
    expect(registry.list().map((t) => t.type)).toEqual([
      'city.tier.generation',
      'content.fact.check',
      'customer.research',
      'database.record.insert',
      'dependency.license-audit',
      'user.data.sync',
    ])
    expect(registry.describe('customer.research')?.parts_note).toContain('identity')
    for (const type of registry.list()) expect(type.description).not.toBe('')
  })
})

describe('loadOrderTypes', () => {
  let directory: string
  const index = new URL('./author.ts', import.meta.url).href
  const source = (type: string) =>
    `defineOrderType({ type: '${type}', payload: { type: 'object' }, result: { type: 'object' }, apply: (ctx) => ctx.diff({}, {}) })`
  const write = (name: string, text: string) => writeFile(path.join(directory, name), text)
  beforeEach(async () => {
    directory = await mkdtemp(path.join(tmpdir(), 'order-types-'))
  })
  afterEach(() => rm(directory, { recursive: true }))

  it('imports files, lists and generators, and skips tests and declarations', async () => {
    await write('one.mjs', `import { defineOrderType } from '${index}'\nexport default ${source('x.one')}`)
    await write(
      'many.mjs',
      `import { defineOrderType, defineGenerator } from '${index}'\nexport default [${source('x.two')}, defineGenerator({ name: 'g', schedule: '0 * * * *', generate: () => [] })]`,
    )
    await write('one.test.mjs', 'throw new Error("a test was imported")')
    await write('types.d.ts', 'export {}')
    await write('README.md', '')
    const loaded = await loadOrderTypes(directory)
    expect(loaded.types.map((t) => t.type)).toEqual(['x.two', 'x.one'])
    expect(loaded.generators.map((g) => g.name)).toEqual(['g'])
  })

  it('names each file that cannot be used', async () => {
    await write('a-good.mjs', `import { defineOrderType } from '${index}'\nexport default ${source('x.same')}`)
    await write('b-twice.mjs', `import { defineOrderType } from '${index}'\nexport default ${source('x.same')}`)
    await write('c-throws.mjs', 'throw new Error("boom")')
    await write('d-empty.mjs', 'export const x = 1')
    await write('e-plain.mjs', 'export default { type: "x" }')
    const error = await loadOrderTypes(directory).then(
      () => undefined,
      (e: Error) => e.message,
    )
    expect(error).toMatch(/b-twice.mjs: order type 'x.same' is already defined in .*a-good.mjs/)
    expect(error).toMatch(/c-throws.mjs: boom/)
    expect(error).toMatch(/d-empty.mjs: has no default export/)
    expect(error).toMatch(/e-plain.mjs: its default export must come from/)
  })

  it('says so when the directory does not exist', async () => {
    await expect(loadOrderTypes(path.join(directory, 'none'))).rejects.toThrow(/cannot be read \(ENOENT\)/)
  })
})

import Value from 'typebox/value'
import { expect, test } from 'vitest'
import { renderConfigDocs } from './index.ts'
import { settings, unusedVariables } from './settings.ts'

test('every setting has a meaning and a default that it accepts itself', () => {
  for (const { path, schema } of settings) {
    expect(schema.description, path).toMatch(/\S\.$/)
    if (schema.default !== undefined) expect(Value.Check(schema, schema.default), path).toBe(true)
  }
})

test('no variable belongs to two settings', () => {
  const names = [...settings.flatMap((setting) => setting.env), ...Object.keys(unusedVariables)]
  expect(new Set(names).size).toBe(names.length)
})

test('the page names every setting, its variables and its default', () => {
  const page = renderConfigDocs()
  for (const { key, env } of settings) {
    const row = page.split('\n').find((line) => line.startsWith(`| \`${key}\` |`) && line.includes(`\`${env[0]}\``))
    expect(row, key).toBeDefined()
    for (const name of env) expect(row).toContain(`\`${name}\``)
  }
  expect(page).toContain('| `ttl_seconds` | `WORK_MANAGER_LEASE_TTL_SECONDS`<br>`WORK_MANAGER_LEASE_TTL` | `600` |')
})

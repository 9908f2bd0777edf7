import { readdir, readFile } from 'node:fs/promises'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
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

test('every setting is read by the product', async () => {
  const source = fileURLToPath(new URL('..', import.meta.url))
  const files = (await readdir(source, { recursive: true })).filter(
    (file) => file.endsWith('.ts') && !file.endsWith('.test.ts') && !file.startsWith(`config${path.sep}`),
  )
  const program = (await Promise.all(files.map((file) => readFile(path.join(source, file), 'utf8')))).join('\n')
  const unread = settings.filter(({ section, key }) => {
    const member = new RegExp(String.raw`\b${section}\.${key}\b`)
    const destructured = new RegExp(String.raw`\{[^{}]*\b${key}\b[^{}]*\} = [\w.() ]*\b${section}\b`)
    return !member.test(program) && !destructured.test(program)
  })
  expect(unread.map((setting) => setting.path)).toEqual([])
})

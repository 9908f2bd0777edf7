/** `npm run generate` right after something was added: it writes what it can and says what is missing and how to get it. */
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { expect, it } from 'vitest'
import { renderHttpApi } from '../../../scripts/generate/http-api.ts'
import { renderOperations } from '../../../scripts/generate/operations.ts'
import { writeFiles } from '../../../scripts/generate/write-files.ts'
import { operations } from '../src/systems.ts'

it('a verb without a recorded answer is named, with the command that records it; the other files are written', async () => {
  const root = await mkdtemp(path.join(tmpdir(), 'work-manager-generate-'))
  const more = [...operations, { ...operations[0]!, name: 'say_nothing', http: { ...operations[0]!.http, path: '/nothing', aliases: [] } }]
  const files = { 'docs/http-api.md': () => renderHttpApi(more), 'docs/operations.md': () => renderOperations(more) }
  try {
    const { drifted, failed } = await writeFiles(root, files, false)
    expect(drifted).toEqual(['docs/operations.md (missing)'])
    expect(await readFile(path.join(root, 'docs/operations.md'), 'utf8')).toContain('`say_nothing`')
    expect(failed).toHaveLength(1)
    expect(failed[0]).toContain('there is none of say_nothing')
    expect(failed[0]).toContain('npx vitest run packages/server/testing/sample-answers.test.ts -u && npm run generate')
    expect(failed[0]).not.toContain('    at ')
  } finally {
    await rm(root, { recursive: true })
  }
})

it('with --check nothing is written', async () => {
  const root = await mkdtemp(path.join(tmpdir(), 'work-manager-generate-'))
  try {
    expect((await writeFiles(root, { 'a.md': () => 'text' }, true)).drifted).toEqual(['a.md (missing)'])
    await expect(readFile(path.join(root, 'a.md'))).rejects.toThrow('ENOENT')
  } finally {
    await rm(root, { recursive: true })
  }
})

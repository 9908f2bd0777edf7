/** No door lacks an operation: each has its command, the table that commands are made from is up to date, and what is documented is there. */
import { expect, it, vi } from 'vitest'
import { execFile } from 'node:child_process'
import { readFile } from 'node:fs/promises'
import { promisify } from 'node:util'
import type { Command } from 'commander'
import { operations, systems } from '../systems.ts'
import { knownOldSpellings, withNewSpelling } from './old-spellings.ts'
import { Context } from './context.ts'
import { operationTable } from './generated/operations.ts'
import { readOperationTable } from './operation-table.ts'
import { Output } from './output.ts'
import { buildProgram } from './program.ts'
import { commandsOf, renderCliDocs, wordsOf } from './render-docs.ts'

const out = new Output(process, {})
const context = new Context(out, {}, '/')
const program = buildProgram(context, '0', operationTable)
const commands = new Map(commandsOf(program).map((command) => [wordsOf(command), command]))
const find = (words: string): Command | undefined => commands.get(words)

it('the generated table is what the operations say', () => {
  expect(operationTable, 'run: npm run generate').toEqual(JSON.parse(JSON.stringify(readOperationTable(systems))))
})

it.each(operations)('$name has a command, and one under call', ({ name, command }) => {
  expect(find(command.words), command.words).toBeDefined()
  expect(find(`call ${name}`)).toBeDefined()
})

it.each(operationTable.map((operation) => ({ operation, name: operation.name })))(
  'call $name can say every member of its input',
  ({ operation, name }) => {
    const command = find(`call ${name}`)!
    const said = [...command.registeredArguments.map((one) => one.name()), ...command.options.map((one) => one.long?.slice(2))]
    expect(operation.members.map((member) => member.name.replaceAll('_', '-')).filter((member) => !said.includes(member))).toEqual([])
  },
)

it('a member whose option the program already has is refused when the program is built', () => {
  const clash = [
    {
      ...operationTable[0]!,
      name: 'clash',
      command: { words: 'clash' },
      members: [{ name: 'url', kind: 'text', required: false, inPath: false, description: '' }],
    },
  ] as const
  expect(() => buildProgram(context, '0', clash)).toThrow('--url')
})

it('every command says what it does, in a line and in a sentence', () => {
  const silent = [...commands].filter(([, command]) => command.summary() === '' || !/[.’)]$/.test(command.description()))
  expect(silent.map(([words]) => words)).toEqual([])
})

it.each(knownOldSpellings)('the old spelling %s is understood', (old, now) => {
  expect(find(now), now).toBeDefined()
  expect(withNewSpelling(['--json', `work-manager:${old}`, '--limit', '3'])).toEqual(['--json', ...now.split(' '), '--limit', '3'])
  if (old.includes(':')) expect(withNewSpelling([old])).toEqual(now.split(' '))
})

it('what looks like an old spelling elsewhere is left alone', () => {
  expect(withNewSpelling(['orders', 'show', 'items:list'])).toEqual(['orders', 'show', 'items:list'])
  expect(withNewSpelling(['orders'])).toEqual(['orders'])
})

it('docs/cli.md is what the program says', async () => {
  const kept = await readFile(new URL('../../../../docs/cli.md', import.meta.url), 'utf8')
  expect(kept, 'run: npm run generate').toBe(renderCliDocs(operationTable))
})

const scripts = new Map<string, string>()
function completion(shell: string): string {
  if (!scripts.has(shell)) {
    const write = vi.spyOn(process.stdout, 'write').mockReturnValue(true)
    buildProgram(context, '0', operationTable).parse(['completion', shell], { from: 'user' })
    scripts.set(shell, String(write.mock.calls[0]?.[0]))
    write.mockRestore()
  }
  return scripts.get(shell)!
}

it.each(['bash', 'zsh', 'fish'])('the completion for %s knows every command', (shell) => {
  const text = completion(shell)
  for (const words of commands.keys()) expect(text).toContain(`'${words}'`)
})

it('bash completes commands behind options, and options behind commands', async () => {
  const ask = async (...words: string[]) => {
    const list = words.map((word) => `'${word}'`).join(' ')
    const script = `${completion('bash')}\nCOMP_WORDS=(work-manager ${list}); COMP_CWORD=${words.length}; _work_manager; printf '%s\\n' "\${COMPREPLY[@]}"`
    const { stdout } = await promisify(execFile)('bash', ['--norc', '-c', script])
    return stdout.trim().split('\n')
  }
  expect(await ask('ord')).toEqual(['orders'])
  expect(await ask('--json', 'orders', 'req')).toEqual(['requeue'])
  expect(await ask('lease', 'release', '--older')).toEqual(['--older-than'])
  expect(await ask('call', 'get_s')).toEqual(['get_status'])
  expect(await ask('orders', 'list', '--js')).toEqual(['--json'])
})

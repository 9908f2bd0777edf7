/** `test`: the tests of order types, which find our packages wherever they lie. */
import { spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import { readdir } from 'node:fs/promises'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import type { Command } from 'commander'
import { CliError } from '../cli-error.ts'
import type { Context } from '../context.ts'

const isTest = (name: string): boolean => /\.(test|spec)\.m?[tj]s$/.test(name)
const source = new URL('../../config/offer-own-packages.ts', import.meta.url)
/** The source in the repository, compiled in a published package. */
const hook = existsSync(fileURLToPath(source)) ? source : new URL('../../config/offer-own-packages.js', import.meta.url)

export function addTest(program: Command, context: Context): void {
  program
    .command('test')
    .argument('[files...]', 'test files (default: all in order_types.directories, else in ./order-types)')
    .summary('run the tests of your order types')
    .description('Run the tests of your order types with `node --test`, on the Node and the packages of this program.')
    .addHelpText('after', '\nExample:\n  work-manager test order-types/licence-audit.test.ts\n')
    .action(async (files: string[]) => {
      const chosen = files.length > 0 ? files : await testsOf(context)
      const child = spawn(process.execPath, ['--import', hook.href, '--test', ...chosen], { cwd: context.cwd, stdio: 'inherit' })
      const code = await new Promise<number | null>((resolve, reject) => {
        child.on('error', reject)
        child.on('close', resolve)
      })
      if (code !== 0)
        throw new CliError('refused', 'tests_failed', 'Not every test passed.', 'Each failure is above, with the line that it is about.')
    })
}

async function testsOf(context: Context): Promise<string[]> {
  const named = (await context.config()).order_types.directories
  const directories = named.length > 0 ? named : ['order-types']
  const found = await Promise.all(
    directories.map(async (directory) => {
      const names = await readdir(path.resolve(context.cwd, directory)).catch(() => [] as string[])
      return names.filter(isTest).map((name) => path.join(directory, name))
    }),
  )
  const all = found.flat().toSorted()
  if (all.length > 0) return all
  throw new CliError(
    'refused',
    'no_tests',
    `There is no test in ${directories.join(', ')}: looked for names that end in .test.ts or .test.js.`,
    'Write one with an order type: `work-manager make order-type LicenceAudit --with-tests`.',
  )
}

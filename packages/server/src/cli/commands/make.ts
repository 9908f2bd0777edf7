/** `make order-type|generator|workspace`: files to begin with. */
import { access, mkdir, writeFile } from 'node:fs/promises'
import path from 'node:path'
import type { Command } from 'commander'
import { CliError, usageError } from '../cli-error.ts'
import type { Context } from '../context.ts'
import { invocation } from '../invocation.ts'
import { dottedName, generatorFiles, orderTypeFiles, type ScaffoldFile } from '../scaffolds.ts'
import { workspaceConfig, workspaceFiles } from '../workspace-files.ts'

const defaultDirectory = 'order-types'
const configFile = 'work-manager.config.json'

export function addMake(program: Command, context: Context): void {
  const make = program
    .command('make')
    .summary('write files to begin with')
    .description('Write files to begin with: each loads as it is, and its test passes.')
  make
    .command('order-type')
    .argument('<name>', 'such as LicenceAudit or licence.audit')
    .summary('write an order type')
    .description('Write an order type, into the first directory of order_types.directories (else ./order-types).')
    .option('--type <type>', 'its name on the wire (default: the name in dotted lower case)')
    .option('--parts', 'one whose results are handed in part by part')
    .option('--with-tests', 'with a test that passes')
    .option('--directory <directory>', 'where to')
    .addHelpText('after', '\nExample:\n  work-manager make order-type LicenceAudit --with-tests\n')
    .action(async (name: string, options: { type?: string; parts?: boolean; withTests?: boolean; directory?: string }) => {
      const type = dotted(options.type ?? dottedName(name))
      await write(
        context,
        await directoryOf(context, options.directory),
        orderTypeFiles(name, { type, parts: options.parts === true, test: options.withTests === true }),
      )
    })
  make
    .command('generator')
    .alias('allocator')
    .argument('<name>', 'such as NightlyAudit')
    .summary('write a generator')
    .description(
      'Write a generator, which finds work on a schedule, into the first directory of order_types.directories (else ./order-types).',
    )
    .option('--type <type>', 'the order type that it proposes', 'example.type')
    .option('--directory <directory>', 'where to')
    .action(async (name: string, options: { type: string; directory?: string }) => {
      dotted(dottedName(name))
      await write(context, await directoryOf(context, options.directory), generatorFiles(name, { type: dotted(options.type) }))
    })
  make
    .command('workspace')
    .summary('write a directory for order types, and the configuration that names it')
    .description(
      `Write ./order-types, ${configFile}, package.json, tsconfig.json and README.md, in any directory, so that \`work-manager serve\` there knows your own order types.`,
    )
    .option('--with-examples', 'with an order type and a generator')
    .option('--with-tests', 'with a test that passes')
    .action((options: { withExamples?: boolean; withTests?: boolean }) => workspace(context, options))
}

function dotted(type: string): string {
  if (!/^[a-z0-9]+([._-][a-z0-9]+)*$/.test(type) || type.length > 120)
    throw usageError(`'${type}' cannot be a name: it takes dotted lower case, at most 120 characters.`, 'Such as licence.audit.')
  return type
}

async function directoryOf(context: Context, named: string | undefined): Promise<string> {
  if (named !== undefined) return path.resolve(context.cwd, named)
  const [first] = (await context.config()).order_types.directories
  return first === undefined ? path.join(context.cwd, defaultDirectory) : path.resolve(context.cwd, first)
}

/** All of the files or none. Refuses with: file_exists (exit 6). */
async function write(context: Context, directory: string, files: readonly ScaffoldFile[], more: readonly string[] = []): Promise<void> {
  const targets = files.map(({ name, text }) => ({ file: path.join(directory, name), text }))
  for (const { file } of targets) {
    if (await isThere(file))
      throw new CliError(
        'conflict',
        'file_exists',
        `${file} is there already; nothing was written.`,
        'Choose another name, or move that file away.',
      )
  }
  await mkdir(directory, { recursive: true })
  for (const { file, text } of targets) await writeFile(file, text, { flag: 'wx' })
  const written = targets.map(({ file }) => path.relative(context.cwd, file))
  context.out.answer({ written: [...written, ...more] }, () => {
    for (const file of [...written, ...more]) context.out.line(`Wrote ${file}`)
    const test = written.find((file) => file.endsWith('.test.ts'))
    if (test !== undefined) context.out.line(`\nIts test: work-manager test ${test}`)
  })
}

const isThere = (file: string): Promise<boolean> =>
  access(file).then(
    () => true,
    () => false,
  )

async function workspace(context: Context, options: { withExamples?: boolean; withTests?: boolean }): Promise<void> {
  const directory = path.join(context.cwd, defaultDirectory)
  const examples = options.withExamples === true || options.withTests === true
  const files = examples
    ? [
        ...orderTypeFiles('ExampleType', { type: 'example.type', parts: false, test: options.withTests === true }),
        ...(options.withExamples === true ? generatorFiles('ExampleGenerator', { type: 'example.type' }) : []),
      ]
    : (await isThere(directory))
      ? []
      : [{ name: '.gitkeep', text: '' }]
  // What is there already is the person's own and stays as it is.
  const beside: string[] = []
  const around = [
    { name: configFile, text: workspaceConfig(`./${defaultDirectory}`) },
    ...workspaceFiles(context.cwd, invocation(context.env, context.cwd)),
  ]
  for (const { name, text } of around) {
    try {
      await writeFile(path.join(context.cwd, name), text, { flag: 'wx' })
      beside.push(name)
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error
      const see = name === configFile ? `; see that order_types.directories names ./${defaultDirectory}` : ''
      context.out.note(`notice: ${name} is there already and stays as it is${see}`)
    }
  }
  await write(context, directory, files, beside)
  if (!context.out.json) context.out.line('\nStart a server that knows them: work-manager serve')
}

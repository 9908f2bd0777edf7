/** `config check`, `doctor`: is everything as it must be, before and while a server runs. */
import type { Command } from 'commander'
import type { Config } from '../../config/index.ts'
import type { Context } from '../context.ts'
import { CliError } from '../cli-error.ts'
import { explain } from '../explain.ts'
import { withManager } from '../opened-manager.ts'

interface Finding {
  readonly check: string
  readonly ok: boolean
  readonly detail: string
  readonly fix?: string
}

export function addChecks(program: Command, context: Context): void {
  const config = program.command('config').summary('look at the configuration').description('The configuration.')
  config
    .command('check')
    .summary('check the configuration and show what is in force')
    .description('Check the configuration; show each value and where it comes from. Exit code 3 when something is wrong.')
    .action(() => checkConfig(context))
  program
    .command('doctor')
    .summary('check that everything works here')
    .description('Check Node, configuration, database and server, and say what to do about what is wrong.')
    .action(() => doctor(context))
}

async function checkConfig(context: Context): Promise<void> {
  const { config, origins, file } = await context.readConfig()
  const { sections } = await import('../../config/index.ts')
  const shown = sections.map((section) => ({
    section: section.name,
    values: section.settings.map(({ key, path, schema }) => {
      const value = (config[section.name as keyof Config] as Record<string, unknown>)[key]
      return {
        key,
        value: value === undefined ? null : schema.secret === true ? '(set, not shown)' : value,
        from: origins.get(path) ?? 'default',
      }
    }),
  }))
  const settings = Object.fromEntries(
    shown.map(({ section, values }) => [section, Object.fromEntries(values.map(({ key, value, from }) => [key, { value, from }]))]),
  )
  context.out.answer({ ok: true, file, settings }, () => {
    context.out.line(file === null ? 'No configuration file.' : `Configuration file: ${file}`)
    for (const { section, values } of shown) {
      context.out.line(`\n${section}`)
      for (const { key, value, from } of values) {
        const text = `  ${key.padEnd(28)} ${value === null ? '–' : typeof value === 'string' ? value : JSON.stringify(value)}`
        context.out.line(from === 'default' ? context.out.paint.dim(text) : `${text}  (${from})`)
      }
    }
    context.out.line('\nThe configuration is fine.')
  })
}

async function doctor(context: Context): Promise<void> {
  const findings: Finding[] = [{ check: 'node', ok: true, detail: `Node ${process.versions.node} on ${process.platform}-${process.arch}` }]
  try {
    const { file } = await context.readConfig()
    findings.push({ check: 'configuration', ok: true, detail: file ?? 'defaults and environment' })
    findings.push(...(await examineServer(context)))
  } catch (thrown) {
    const { message, fix, code } = explain(thrown)
    findings.push({ check: code === 'config_invalid' ? 'configuration' : 'server', ok: false, detail: message, fix })
  }
  const bad = findings.filter((finding) => !finding.ok)
  const told = findings.map(({ fix, ...finding }) => (finding.ok || fix === undefined ? finding : { ...finding, fix }))
  context.out.answer({ ok: bad.length === 0, findings: told }, () => {
    for (const { check, ok, detail, fix } of findings) {
      context.out.line(`${ok ? context.out.paint.green('ok  ') : context.out.paint.red('bad ')} ${check}: ${detail}`)
      if (!ok && fix) context.out.line(`     fix: ${fix}`)
    }
  })
  if (bad.length > 0)
    throw new CliError(
      'unfit',
      'not_healthy',
      `${bad.length} of ${findings.length} checks failed: ${bad.map((finding) => finding.check).join(', ')}.`,
      'See the advice beside each of them.',
    )
}

/** Asks a server that runs; where none was named and none runs, opens the database and looks. */
async function examineServer(context: Context): Promise<Finding[]> {
  const url = await context.url()
  const answer = await fetch(new URL('/readyz', url), { signal: AbortSignal.timeout(5000), redirect: 'manual' }).catch(() => undefined)
  if (answer !== undefined) {
    const { checks = {}, detail } = (await answer.json().catch(() => ({ detail: 'what answers is not Work Manager' }))) as {
      checks?: Record<string, string>
      detail?: string
    }
    const server: Finding = {
      check: 'server',
      ok: answer.ok,
      detail: `${url} ${answer.ok ? 'is ready' : (detail ?? 'is not ready')}`,
      fix: 'Look at its log.',
    }
    return [
      server,
      ...Object.entries(checks).map(([check, state]): Finding => ({
        check,
        ok: state === 'ok',
        detail: state,
        fix: 'Look at the log of the server.',
      })),
    ]
  }
  if (context.options.url !== undefined || (context.env.WORK_MANAGER_URL ?? '') !== '')
    return [{ check: 'server', ok: false, detail: `nothing answers at ${url}`, fix: 'Start it, or correct --url or WORK_MANAGER_URL.' }]
  return withManager(context, async (manager) => [
    { check: 'server', ok: true, detail: `none runs at ${url}; the database was opened directly` },
    ...(await manager.doctor()),
  ])
}

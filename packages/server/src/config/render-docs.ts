/** docs/config.md, from the schema. */
import { formerSettings } from './former-names.ts'
import { accepts, sections, settings, unusedVariables, type Setting } from './settings.ts'
import { commandLineVariables } from './unconfigured.ts'

const cell = (text: string) => text.replaceAll('|', String.raw`\|`).replaceAll('\n', ' ')
const code = (text: string) => `\`${text}\``

function row(setting: Setting): string {
  const { schema, key, env } = setting
  const standard =
    schema.default === undefined
      ? '–'
      : code(
          Array.isArray(schema.default) && schema.default.length === 0
            ? '[]'
            : Array.isArray(schema.default)
              ? schema.default.join(', ')
              : JSON.stringify(schema.default).replaceAll('"', ''),
        )
  return `| ${code(key)} | ${env.map(code).join('<br>')} | ${standard} | ${cell(schema.description)} Takes ${cell(accepts(schema))}. |`
}

/** The configuration page as Markdown. */
export function renderConfigDocs(): string {
  const parts = [
    '# Configuration',
    '',
    'Generated from `packages/server/src/config/schema.ts`; edit that, then run `npm run generate`.',
    '',
    'A value comes from, weakest first: the default, the configuration file, the environment, a command-line flag. The file is',
    '`work-manager.config.ts` (or `.js`, `.mjs`, `.json`) in the directory where the program starts, or the one named with `--config`:',
    '',
    '```ts',
    "import { defineConfig } from '@work-manager/server'",
    '',
    'export default defineConfig({',
    '  server: { port: 8080 },',
    "  order_types: { directories: ['./order-types'] },",
    '})',
    '```',
    '',
    'Lists are separated by commas in the environment; yes/no settings take `true` or `false`. A variable that begins with `WORK_MANAGER_` and is',
    'not listed here is refused at start, with the name that was probably meant. `work-manager config check` shows what is in force.',
    '',
    'Secrets may lie in files: with `_FILE` behind its name the variable of a secret names the file that holds it, as in',
    '`DATABASE_URL_FILE=/run/secrets/database-url`. These are secrets: '
      .concat(
        settings
          .filter(({ schema }) => schema.secret === true)
          .map(({ path }) => code(path))
          .join(', '),
      )
      .concat('.'),
  ]
  for (const section of sections) {
    parts.push(
      '',
      `## ${section.name}`,
      '',
      section.description,
      '',
      '| Key | Environment | Default | Meaning |',
      '|---|---|---|---|',
      ...section.settings.map(row),
    )
  }
  parts.push('', '## Command line', '', 'Read by the commands that talk to a running server.', '', '| Environment | Meaning |', '|---|---|')
  for (const [name, meaning] of Object.entries(commandLineVariables)) parts.push(`| ${code(name)} | ${meaning} |`)
  parts.push(
    '',
    '## Names of the predecessor',
    '',
    'Files and variables that were written for the predecessor are accepted. What became of these names is said once at start, with the line',
    'of the file; `null` means left out. Where the present setting is given as well, it wins (except over `metrics.enabled: false`).',
    '',
    '| Name | Today |',
    '|---|---|',
    ...Object.entries(formerSettings).map(([name, { says }]) => `| ${code(name)} | It ${cell(says)}. |`),
    '| `WORK_MANAGER_REDIS_CONNECTION` | An address is read as `redis.url`. The name of a connection, such as `default`, has no effect: `REDIS_URL` says which Redis. |',
    ...Object.entries(unusedVariables).map(([name, why]) => `| ${code(name)} | It has no effect: ${cell(why)}. |`),
    '| `QUEUE_CONNECTION` and others without `WORK_MANAGER_` | Not read: they belong to the framework that the predecessor ran in. |',
  )
  return `${parts.join('\n')}\n`
}

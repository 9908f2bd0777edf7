/**
 * `npm run generate` writes every file that is derived from the code; with `--check` it writes nothing, names the files that have
 * drifted and fails. A new generated file is one line in `files`.
 */
import { fileURLToPath } from 'node:url'
import { renderConfigDocs } from '../packages/server/src/config/index.ts'
import { readOperationTable, renderOperationTable } from '../packages/server/src/cli/operation-table.ts'
import { renderCliDocs } from '../packages/server/src/cli/render-docs.ts'
import { operations, services, systems } from '../packages/server/src/systems.ts'
import { renderErrors } from './generate/errors.ts'
import { withFreshDatabase } from './generate/fresh-database.ts'
import { renderGuards } from './generate/guards.ts'
import { renderHttpApi } from './generate/http-api.ts'
import { renderLifecycle } from './generate/lifecycle.ts'
import { renderMetrics } from './generate/metrics.ts'
import { renderOpenApi } from './generate/openapi.ts'
import { renderOperations } from './generate/operations.ts'
import { dumpSchema } from './generate/schema-dump.ts'
import { type Files, writeFiles } from './generate/write-files.ts'
import { renderPythonSdk } from './generate/python-sdk.ts'
import { renderSdkClient, renderSdkTypes } from './generate/sdk-types.ts'

const root = fileURLToPath(new URL('..', import.meta.url))
const guards = 'packages/server/migrations/routines/00_guards.sql'

/** Path → text, in the order they are made: the schema is dumped from the migrations, so the generated one comes first. */
const files: Files = {
  [guards]: renderGuards,
  'docs/lifecycle.md': () => renderLifecycle(services.keys()),
  'docs/errors.md': renderErrors,
  'docs/metrics.md': renderMetrics,
  'docs/config.md': renderConfigDocs,
  'docs/operations.md': () => renderOperations(operations),
  'docs/http-api.md': () => renderHttpApi(operations),
  'docs/openapi.json': () => renderOpenApi(operations),
  'packages/sdk/src/generated/api.ts': async () => renderSdkTypes(await renderOpenApi(operations)),
  'packages/sdk/src/generated/client.ts': async () => renderSdkClient(await renderOpenApi(operations)),
  'sdks/python/src/work_manager/_generated.py': async () => renderPythonSdk(await renderOpenApi(operations)),
  'packages/server/src/cli/generated/operations.ts': () => renderOperationTable(systems),
  'docs/cli.md': () => renderCliDocs(readOperationTable(systems)),
  'packages/server/schema.sql': () => withFreshDatabase(dumpSchema),
}

const flags = process.argv.slice(2)
const check = flags.includes('--check')
if (flags.some((flag) => flag !== '--check')) {
  console.error(`Unknown: ${flags.filter((flag) => flag !== '--check').join(' ')}. Usage: npm run generate, or npm run generate -- --check`)
  process.exit(2)
}

const { drifted, failed } = await writeFiles(root, files, check)
const list = (lines: readonly string[]) => lines.map((line) => `  ${line}`).join('\n')
if (drifted.length > 0 && check)
  console.error(`These files are not what the code says they should be:\n${list(drifted)}\nWrite them again with: npm run generate`)
else
  console.log(
    drifted.length === 0 ? `Every ${failed.length > 0 ? 'other ' : ''}generated file is up to date.` : `Written:\n${list(drifted)}`,
  )
if (failed.length > 0) console.error(`These files could not be made:\n${list(failed)}`)
if (failed.length > 0 || (drifted.length > 0 && check)) process.exitCode = 1

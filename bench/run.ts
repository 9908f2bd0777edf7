/**
 * `npm run bench`: every scenario on one PostgreSQL (and Redis), one after the other, and what they compare to. Figures move with the
 * machine: the ratios are what to read. Method: bench/README.md.
 */
import { writeFile } from 'node:fs/promises'
import { createRequire } from 'node:module'
import os from 'node:os'
import { fileURLToPath } from 'node:url'
import { readOptions, usage } from './options.ts'
import { page, type Result, rowLine, screen, withComparisons } from './report.ts'
import { scenarios } from './scenarios/index.ts'
import { soak } from './soak.ts'
import { Bench, type Options, type Row } from './suite.ts'

const pageFile = fileURLToPath(new URL('../docs/benchmarks.md', import.meta.url))
const require = createRequire(import.meta.url)

function optionsOrExit(): Options {
  try {
    return readOptions(process.argv.slice(2))
  } catch (error) {
    console.error(`${(error as Error).message}\n\n${usage}`)
    return process.exit(2)
  }
}

async function versions(bench: Bench): Promise<Record<string, string>> {
  const packages = ['pg-boss', 'graphile-worker', 'bullmq'].map((name) => [
    name,
    (require(`../node_modules/${name}/package.json`) as { version: string }).version,
  ])
  const redis = await bench.redisVersion()
  return {
    Node: process.versions.node,
    PostgreSQL: bench.database.version,
    ...(redis === null ? {} : { Redis: redis }),
    ...(Object.fromEntries(packages) as Record<string, string>),
  }
}

async function suite(bench: Bench, options: Options): Promise<Row[]> {
  const best = new Map<string, Row>()
  for (let round = 1; round <= options.rounds; round++) {
    for (const scenario of scenarios) {
      if (options.only.length > 0 && !options.only.includes(scenario.name)) continue
      for (const row of await scenario.run(bench)) {
        bench.tell(rowLine(row))
        const key = `${row.scenario} ${row.series} ${row.clients}`
        if (row.perSecond >= (best.get(key)?.perSecond ?? 0)) best.set(key, row)
      }
    }
  }
  return [...best.values()]
}

async function main(options: Options): Promise<void> {
  // The one JSON object belongs on stdout; progress does not.
  const bench = await Bench.open(options, (line) => (options.json ? console.error(line) : console.log(line)))
  const interrupted = () => void bench.close().finally(() => process.exit(130))
  process.once('SIGINT', interrupted)
  process.once('SIGTERM', interrupted)
  try {
    if (options.soak !== null) return await soak(bench, options.soak)
    const begin = performance.now()
    const rows = await suite(bench, options)
    const result: Result = {
      date: new Date().toISOString(),
      seconds: (performance.now() - begin) / 1000,
      machine: {
        cores: os.availableParallelism(),
        memoryGiB: Math.round(os.totalmem() / 1024 ** 3),
        system: `${os.type()} ${os.arch()}`,
        processor: os.cpus()[0]?.model.trim() ?? 'unknown',
      },
      versions: await versions(bench),
      rows,
    }
    console.log(options.json ? JSON.stringify(withComparisons(result), null, 2) : screen(result))
    if (options.write) {
      await writeFile(pageFile, page(result))
      bench.tell(`written: ${pageFile}`)
    }
  } finally {
    await bench.close()
  }
}

const options = optionsOrExit()
if (options.help) console.log(usage)
else await main(options)

/**
 * `npm run bench`: checkout → heartbeat → submit over HTTP, and the same SQL work by direct connections in the same run on the same
 * database server. Figures move with the machine: the ratio is what to compare. Method and figures: bench/README.md.
 */
import { parseArgs } from 'node:util'
import { itemsPerOrder } from './bench-type.ts'
import { fillQueue, openHttpClient } from './http-client.ts'
import { type Client, measure } from './measure.ts'
import { RecordReader } from './record.ts'
import { printResult, printRun, printSoak, type Run } from './report.ts'
import { type ServerHandle, startServerProcess } from './server-handle.ts'
import { openSqlClient } from './sql-client.ts'

const usage = `npm run bench -- [options]
  --clients 8,32    numbers of clients, each measured
  --cycles 20000    cycles per measurement
  --rounds 1        repeats everything; the best run of a kind counts
  --soak 200000     instead: that many cycles over HTTP at the largest number of clients, memory before and after
  --batched         also direct SQL with 32 items per call
  --json            one JSON object instead of the table
  --server-node-args=--cpu-prof   more flags for the Node of the server process`

function readOptions() {
  const { values } = parseArgs({
    options: {
      clients: { type: 'string', default: '8,32' },
      cycles: { type: 'string', default: '20000' },
      rounds: { type: 'string', default: '1' },
      soak: { type: 'string' },
      batched: { type: 'boolean', default: false },
      json: { type: 'boolean', default: false },
      'server-node-args': { type: 'string', default: '' },
      help: { type: 'boolean', default: false },
    },
  })
  const count = (name: string, text: string): number => {
    const value = Number(text)
    if (!Number.isInteger(value) || value < 1) throw new TypeError(`--${name} takes a number from 1, not '${text}'`)
    return value
  }
  return {
    clients: values.clients.split(',').map((text) => count('clients', text)),
    cycles: count('cycles', values.cycles),
    rounds: count('rounds', values.rounds),
    soak: values.soak === undefined ? null : count('soak', values.soak),
    batched: values.batched,
    json: values.json,
    help: values.help,
    nodeArguments: values['server-node-args'].split(' ').filter(Boolean),
  }
}
type Options = ReturnType<typeof readOptions>

const batchOfSql = 32
const warmUpCycles = 500

async function withClients<T>(opening: Array<Promise<Client>>, work: (clients: Client[]) => Promise<T>): Promise<T> {
  const clients = await Promise.all(opening)
  try {
    return await work(clients)
  } finally {
    for (const client of clients) await client.close()
  }
}

async function runOne(server: ServerHandle, record: RecordReader, kind: Run['kind'], clientCount: number, cycles: number): Promise<Run> {
  const agents = server.agents.slice(0, clientCount)
  const batch = kind === 'sql-batched' ? batchOfSql : 1
  const calls = Math.ceil(cycles / batch)
  // An order a client may stay half done, so there is one more for each.
  const orders = await fillQueue(server, (calls + warmUpCycles) * batch + clientCount * itemsPerOrder)
  const open = (agent: (typeof agents)[number]) =>
    kind === 'http'
      ? openHttpClient(server, agent.key)
      : openSqlClient(server, agent.id, { batch, orders: kind === 'sql-own-order' ? orders : null })
  await record.lag()
  return withClients(agents.map(open), async (clients) => {
    await measure(clients, Math.max(clientCount, Math.ceil(warmUpCycles / batch)))
    const before = await server.usage()
    const perCall = await measure(clients, calls)
    const after = await server.usage()
    const measured = { ...perCall, cycles: perCall.cycles * batch, cyclesPerSecond: perCall.cyclesPerSecond * batch }
    const lag = await record.lag()
    return {
      kind,
      measured,
      lag,
      rssBytes: after.rssBytes,
      serverCpuMsPerCycle: (after.cpuMicros - before.cpuMicros) / 1000 / measured.cycles,
    }
  })
}

async function compare(server: ServerHandle, record: RecordReader, options: Options): Promise<Run[]> {
  const kinds: Run['kind'][] = options.batched ? ['http', 'sql', 'sql-own-order', 'sql-batched'] : ['http', 'sql', 'sql-own-order']
  const best = new Map<string, Run>()
  for (let round = 1; round <= options.rounds; round++) {
    for (const clientCount of options.clients) {
      for (const kind of kinds) {
        const run = await runOne(server, record, kind, clientCount, options.cycles)
        if (!options.json) printRun(run)
        const key = `${kind} ${clientCount}`
        if (run.measured.cyclesPerSecond > (best.get(key)?.measured.cyclesPerSecond ?? 0)) best.set(key, run)
      }
    }
  }
  return [...best.values()]
}

const soakChunk = 20_000

async function soak(server: ServerHandle, record: RecordReader, cycles: number, clientCount: number): Promise<void> {
  const before = await server.usage()
  const chunks: Run[] = []
  for (let done = 0; done < cycles; done += soakChunk) {
    const run = await runOne(server, record, 'http', clientCount, Math.min(soakChunk, cycles - done))
    chunks.push(run)
    printRun(run)
  }
  printSoak(before.rssBytes, chunks, await record.hotShare())
}

function optionsOrExit(): Options {
  try {
    return readOptions()
  } catch (error) {
    console.error(`${(error as Error).message}\n\n${usage}`)
    return process.exit(2)
  }
}

const options = optionsOrExit()
if (options.help) console.log(usage)
else {
  const most = Math.max(...options.clients)
  const server = await startServerProcess(most, options.nodeArguments)
  const record = await RecordReader.open(server.adminUrl)
  try {
    if (options.soak !== null) await soak(server, record, options.soak, most)
    else printResult(await compare(server, record, options), await record.hotShare(), options.json)
  } finally {
    await record.close()
    await server.stop()
  }
}

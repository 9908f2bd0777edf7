/** The command line of `npm run bench`. */
import { parseArgs } from 'node:util'
import { scenarios } from './scenarios/index.ts'
import type { Options } from './suite.ts'

export const usage = `npm run bench -- [options]
  --only NAME[,NAME]   only these scenarios: ${scenarios.map(({ name }) => name).join(', ')}
  --quick              a smoke run of seconds: everything small; the figures say nothing
  --seconds 5          length of one measurement
  --warm-up 10         seconds that a server or a peer works before its first measurement (a fifth of it before each further one)
  --turns 3            how often things that are compared take turns
  --clients 8,32       numbers of clients, where a scenario takes several
  --rounds 1           repeats everything; the best run of a row counts
  --events 1000000     length of the history that is read
  --depth 200000       items of the deep queue
  --batched            direct-sql: also 32 items per statement
  --soak 200000        instead of the suite: that many lease cycles at 32 clients, memory before and after
  --json               one JSON object instead of the tables
  --write              also renders docs/benchmarks.md
  --server-node-args=--cpu-prof   more flags for the Node of the server process`

/** Throws a TypeError whose message says what is wrong. */
export function readOptions(args: readonly string[]): Options {
  const { values } = parseArgs({
    args: [...args],
    options: {
      only: { type: 'string', default: '' },
      quick: { type: 'boolean', default: false },
      seconds: { type: 'string' },
      clients: { type: 'string' },
      rounds: { type: 'string', default: '1' },
      turns: { type: 'string' },
      'warm-up': { type: 'string' },
      events: { type: 'string' },
      depth: { type: 'string' },
      batched: { type: 'boolean', default: false },
      soak: { type: 'string' },
      json: { type: 'boolean', default: false },
      write: { type: 'boolean', default: false },
      help: { type: 'boolean', default: false },
      'server-node-args': { type: 'string', default: '' },
    },
  })
  const positive = (name: string, text: string, whole = true): number => {
    const value = Number(text)
    if (!(value > 0) || (whole && !Number.isInteger(value)))
      throw new TypeError(`--${name} takes a ${whole ? 'whole number from 1' : 'number above 0'}, not '${text}'`)
    return value
  }
  const only = values.only.split(',').filter(Boolean)
  const unknown = only.find((name) => !scenarios.some((scenario) => scenario.name === name))
  if (unknown !== undefined) throw new TypeError(`There is no scenario '${unknown}'.`)
  if (values.write && (values.quick || only.length > 0)) throw new TypeError('--write renders a whole run: leave out --quick and --only.')
  const given = (name: 'seconds' | 'warm-up' | 'turns' | 'events' | 'depth', usual: number, quick: number, whole = true): number =>
    values[name] === undefined ? (values.quick ? quick : usual) : positive(name, values[name], whole)
  return {
    only,
    quick: values.quick,
    seconds: given('seconds', 5, 0.2, false),
    warmUpSeconds: given('warm-up', 10, 0.1, false),
    turns: given('turns', 3, 1),
    events: given('events', 1_000_000, 2000),
    depth: given('depth', 200_000, 500),
    clients: values.clients === undefined ? null : values.clients.split(',').map((text) => positive('clients', text)),
    rounds: positive('rounds', values.rounds),
    batched: values.batched,
    soak: values.soak === undefined ? null : positive('soak', values.soak),
    json: values.json,
    write: values.write,
    help: values.help,
    nodeArguments: values['server-node-args'].split(' ').filter(Boolean),
  }
}

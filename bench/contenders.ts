/**
 * What is measured: alone, or in turns with what it is compared to. Everything that takes part is running all the time; only one has work
 * at a time. So a machine that gets slower for a while slows down both sides of a ratio.
 */
import { type Client, measure, type Measured, withClients } from './measure.ts'
import type { Metering, Spenders } from './processor-time.ts'
import type { Bench, Round, Row } from './suite.ts'

/** The queue must outlast the measurement, whose speed the warm-up only guesses. */
const reserve = 1.6
/** The longest part of a warm-up that is filled for at once: its speed is a guess as well. */
const portionSeconds = 3

export interface Contender {
  readonly scenario: string
  readonly series: string
  readonly what: string
  readonly unit: string
  readonly spenders: Spenders
  /** What gets warm: a server, a peer. What it has done of the same unit before counts. */
  readonly engine: object
  /** Units of work in one step, when it carries several. */
  readonly batch?: number
  open(clients: number): ReadonlyArray<Promise<Client>>
  /** Puts work for that many more steps into the queue. */
  fill(steps: number): Promise<unknown>
  /** Waits until nothing is left to do of what was put in. */
  rest?(): Promise<unknown>
  /** When the load has ended: what else is to be said. */
  settle?(metering: Metering): Promise<Pick<Row, 'notes' | 'figures'>>
  close?(): Promise<void>
}

/** A contender with its clients, and what is known of its queue. */
export interface Entrant {
  readonly contender: Contender
  readonly clients: readonly Client[]
  /** Steps that the queue still holds. */
  left: number
  perSecond: number
}

async function work(entrant: Entrant, seconds: number, steps: number, meter?: Metering): Promise<Measured> {
  const measured = await measure(entrant.clients, { seconds, most: steps })
  await meter?.stop()
  entrant.left -= measured.steps + measured.errors
  if (measured.steps > 0) entrant.perSecond = measured.perSecond
  return measured
}

export async function fillTo(entrant: Entrant, steps: number): Promise<void> {
  if (entrant.left >= steps) return
  await entrant.contender.fill(steps - entrant.left)
  entrant.left = steps
}

/** Works for that long, and fills the queue as it goes. */
export async function workFor(entrant: Entrant, seconds: number): Promise<void> {
  const first = entrant.clients.length * 4
  await fillTo(entrant, first + entrant.clients.length)
  let left = seconds - (await work(entrant, Infinity, first)).seconds
  while (left > 0) {
    const portion = Math.min(left, portionSeconds)
    const steps = Math.ceil(entrant.perSecond * portion * reserve) + entrant.clients.length
    await fillTo(entrant, steps)
    const measured = await work(entrant, portion, steps)
    // A contender that does nothing would be waited for for ever.
    if (measured.steps === 0) throw new Error(`${entrant.contender.what} does no step: ${measured.errorTexts[0] ?? 'no error was told'}`)
    left -= measured.seconds
  }
}

async function measureOnce(bench: Bench, entrant: Entrant): Promise<Row> {
  const { contender } = entrant
  const { seconds } = bench.options
  const steps = Math.ceil(entrant.perSecond * seconds * reserve) + entrant.clients.length
  await fillTo(entrant, steps)
  await contender.rest?.()
  const metering = await bench.meter.start(contender.spenders)
  const measured = await work(entrant, seconds, steps, metering)
  const settled = (await contender.settle?.(metering)) ?? { notes: {} }
  const { scenario, series, what, unit, batch = 1 } = contender
  return {
    ...measured,
    steps: measured.steps * batch,
    perSecond: measured.perSecond * batch,
    scenario,
    series,
    what,
    unit,
    ...settled,
    processor: metering.per(measured.steps * batch),
  }
}

/** The turn in the middle stands for all; errors of every turn count. */
function middleOf(rows: readonly Row[]): Row {
  const middle = rows.toSorted((a, b) => a.perSecond - b.perSecond)[Math.floor(rows.length / 2)]!
  const rounds: Round[] = rows.map(({ perSecond, processor }) => ({ perSecond, totalMsPerStep: processor.totalMsPerStep }))
  return {
    ...middle,
    errors: rows.reduce((sum, { errors }) => sum + errors, 0),
    errorTexts: rows.flatMap(({ errorTexts }) => errorTexts).slice(0, 3),
    ...(rounds.length > 1 && { rounds }),
  }
}

/** Warms all up, then measures one after the other, `turns` times; a row for each. */
export async function takeTurns(
  bench: Bench,
  contenders: readonly Contender[],
  clients: number,
  turns = bench.options.turns,
): Promise<Row[]> {
  const opening = contenders.map((contender) => contender.open(clients))
  const missing = contenders.find((_, n) => opening[n]!.length !== clients)
  if (missing) throw new Error(`${missing.scenario}, ${missing.what}: there are no ${clients} clients`)
  const rows = await withClients(opening.flat(), async (all) => {
    const entrants = contenders.map((contender, n): Entrant => ({
      contender,
      clients: all.slice(n * clients, (n + 1) * clients),
      left: 0,
      perSecond: 0,
    }))
    for (const entrant of entrants) await workFor(entrant, bench.warmUpFor(entrant.contender.engine, entrant.contender.unit))
    const rows = entrants.map((): Row[] => [])
    for (let turn = 0; turn < turns; turn++) for (const [n, entrant] of entrants.entries()) rows[n]!.push(await measureOnce(bench, entrant))
    return rows.map(middleOf)
  })
  for (const contender of contenders) await contender.close?.()
  return rows
}

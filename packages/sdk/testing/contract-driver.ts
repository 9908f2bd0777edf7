/** Does what a scenario of sdks/contract says, with the SDK for TypeScript. See sdks/contract/README.md. */
import { createInterface } from 'node:readline'
import {
  createClient,
  PermanentError,
  PolicyError,
  runAgent,
  TransientError,
  WorkManagerConnectionError,
  WorkManagerError,
  type AgentEvent,
  type AgentOptions,
  type HandlerContext,
  type OperationName,
  type Outcome,
  type Part,
} from '../src/index.ts'
import type { Scenario, Step } from './contract-scenarios.ts'

const config = JSON.parse(process.argv[2]!) as { url: string; key: string; scenario: Scenario; order?: string }
const { scenario, order } = config
const tell = (line: object): void => void process.stdout.write(`${JSON.stringify(line)}\n`)
const snake = (name: string): string => name.replaceAll(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`)

function described(error: unknown): object {
  if (error instanceof WorkManagerError) {
    const { code, status, operation, retry, errors, detail, fix, requestId } = error
    return { kind: 'refusal', code, status, operation, retry, errors: errors.map((one) => one.field), detail, fix, request_id: requestId }
  }
  if (error instanceof WorkManagerConnectionError) return { kind: 'connection', reason: error.reason, operation: error.operation }
  return { kind: error instanceof TypeError ? 'options' : 'unexpected', message: String(error) }
}

const lines = createInterface({ input: process.stdin })
const nextLine = (): Promise<unknown> => new Promise((resolve) => lines.once('line', resolve))
const stopping = new AbortController()
let runs = 0
let beats = 0
const beaten = new Set<() => void>()
let together = 0
const met = new Set<() => void>()

async function* partsOf(step: Step): AsyncGenerator<Part, { finalize: 'strict' | 'best_effort'; notes?: string }> {
  for (const part of step.parts!) {
    try {
      yield part
    } catch (error) {
      if (step.instead === undefined) throw error
      yield step.instead
    }
  }
  return { finalize: step.finalize ?? 'strict', ...(step.notes === undefined ? {} : { notes: step.notes }) }
}

async function follow(steps: readonly Step[], context: HandlerContext): Promise<Outcome | undefined> {
  const { item } = context
  for (const step of steps) {
    if (step.do === 'echo') return echoed(step, item.input)
    if (step.do === 'result') return { result: step.result! }
    if (step.do === 'nothing') return undefined
    if (step.do === 'finalize') return { finalize: step.mode! }
    if (step.do === 'yield_parts') return partsOf(step)
    if (step.do === 'part') await context.part(step.key!, step.payload!)
    if (step.do === 'raise') throw raised(step)
    if (step.do === 'log') context.log(step.message!)
    if (step.do === 'log_last_error') {
      const { code, details } = item.last_error as { code: string; details: Array<{ code: string }> }
      context.log(`${code} ${details[0]!.code}`)
    }
    if (step.do === 'wait_for_line') await nextLine()
    if (step.do === 'wait_for_stop') {
      await new Promise((resolve) => {
        if (context.signal.aborted) resolve(null)
        context.signal.addEventListener('abort', resolve)
      })
    }
    if (step.do === 'wait_for_heartbeat') await new Promise<void>((resolve) => (beats > 0 ? resolve() : beaten.add(resolve)))
    if (step.do === 'together')
      await new Promise<void>((resolve) => {
        met.add(resolve)
        if (++together === step.of) for (const go of met) go()
      })
  }
  return undefined
}

function echoed({ evidence, notes }: Step, input: unknown): Outcome {
  const { message } = input as { message: string }
  return {
    result: { echoed: message, ok: true },
    ...(evidence === undefined ? {} : { evidence }),
    ...(notes === undefined ? {} : { notes }),
  }
}

function raised(step: Step): Error {
  const message = step.message!.repeat(step.times ?? 1)
  const details = {
    ...(step.code === undefined ? {} : { code: step.code }),
    ...(step.retry_after_seconds === undefined ? {} : { retryAfterSeconds: step.retry_after_seconds }),
    ...(step.data === undefined ? {} : { data: step.data }),
  }
  if (step.class === 'transient') return new TransientError(message, details)
  if (step.class === 'permanent') return new PermanentError(message, details)
  if (step.class === 'policy') return new PolicyError(message, details)
  return new Error(message)
}

function onEvent(event: AgentEvent): void {
  const { item, error, ...told } = event as AgentEvent & { item?: { id: string }; error?: unknown }
  tell({
    event: {
      ...Object.fromEntries(Object.entries(told).map(([name, value]) => [snake(name), value])),
      ...(item ? { item: item.id } : {}),
      ...(error === undefined ? {} : { error: described(error) }),
    },
  })
  if (event.kind === 'heartbeat') {
    beats++
    for (const go of beaten) go()
  }
  if (event.kind === scenario.stop_on) stopping.abort()
}

async function agent(): Promise<void> {
  const { order: bound, types, concurrency, max_corrections, stop_when_idle, drain_seconds, wait_seconds } = scenario.agent!
  const refusedSteps = scenario.on_refused
  const options = {
    url: config.url,
    key: config.key,
    order: bound ? order : undefined,
    types,
    concurrency,
    maxCorrections: max_corrections,
    stopWhenIdle: stop_when_idle,
    drainSeconds: drain_seconds,
    waitSeconds: wait_seconds,
    onEvent,
    signal: stopping.signal,
    handler: (context: HandlerContext) => follow(scenario.handler![Math.min(runs++, scenario.handler!.length - 1)]!, context),
    onRefused: refusedSteps && ((context: HandlerContext) => follow(refusedSteps, context)),
  }
  const given = Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined)) as unknown as AgentOptions
  const totals = await runAgent(given)
  tell({ totals: Object.fromEntries(Object.entries(totals).map(([name, value]) => [snake(name), value])) })
}

async function calls(): Promise<void> {
  const client = createClient({ url: config.url, key: config.key })
  const unique = crypto.randomUUID()
  for (const { operation, input, idempotency_key: key } of scenario.calls!) {
    const filled = JSON.parse(JSON.stringify(input).replaceAll('$order', order ?? '')) as never
    try {
      const options = key === undefined ? {} : { idempotencyKey: key.replace('$unique', unique) }
      const { output, status, isReplayed } = await client.call(operation as OperationName, filled, options)
      tell({ answer: { output, status, is_replayed: isReplayed } })
    } catch (error) {
      tell({ answer: { error: described(error) } })
    }
  }
}

try {
  await (scenario.calls ? calls() : agent())
} catch (error) {
  tell({ error: described(error) })
}
lines.close()
process.stdin.destroy()

/**
 * The entry of a worker process: serves on the shared port with the configuration that the primary sends, and ends when the primary
 * says so. When the primary dies, Node ends it at once (the channel between them closes).
 */
import { openWorkManager } from '../../main.ts'
import { createSharedSignal } from '../../kernel/signals/shared-signal.ts'
import { openWhenReachable } from '../open-when-reachable.ts'
import { Output } from '../output.ts'
import { plainLog } from '../plain-log.ts'
import type { Envelope, Storage, ToPrimary, ToWorker } from './messages.ts'

/** Resolves when the primary has it, or is gone and will never have it. */
const say = (message: ToPrimary) =>
  new Promise<void>((resolve) => {
    if (process.connected) process.send!({ workManager: message } satisfies Envelope<ToPrimary>, () => resolve())
    else resolve()
  })

const { signal, hear } = createSharedSignal((topics) => void say({ wake: topics }))
let storage: Storage = 'ok'
const served = Promise.withResolvers<NonNullable<ToWorker['serve']>>()
const told = Promise.withResolvers<void>()

process.on('message', (message: Envelope<ToWorker>) => {
  const said = message?.workManager
  if (said?.storage !== undefined) storage = said.storage
  if (said?.wake !== undefined) hear(said.wake)
  if (said?.serve !== undefined) served.resolve(said.serve)
  if (said?.stop === true) told.resolve()
})
// Ctrl-C and service managers signal every process of the group: that is the primary's wish as well, which it repeats to us.
for (const name of ['SIGINT', 'SIGTERM'] as const) process.on(name, () => told.resolve())

async function serve(): Promise<void> {
  const { config, plainLogLevel, storage: storageAtStart } = await served.promise
  storage = storageAtStart
  const out = new Output(process, process.env)
  const log = plainLogLevel === null ? {} : { log: plainLog(out, plainLogLevel) }
  const interrupt = new AbortController()
  void told.promise.then(() => interrupt.abort())
  // A worker that is replaced while the database is away waits for it, as a server at its start does.
  const manager = await openWhenReachable(
    () => openWorkManager(config, { ...log, siblings: { signal, storage: () => storage } }),
    (sentence) => out.note(sentence),
    interrupt.signal,
  )
  try {
    await say({ ready: { url: await manager.listen() } })
    await told.promise
  } finally {
    await manager.stop()
  }
}

void say({ hello: true })
try {
  await serve()
} catch (error) {
  const { message, code } = error as NodeJS.ErrnoException
  await say({ failed: { message, code: code ?? null } })
  process.exit(1)
}
process.exit(0)

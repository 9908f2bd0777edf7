/** Starts the server process, asks it for what only it knows (memory, processor time), and stops it. */
import { startChild } from './child-process.ts'
import type { DatabaseUrls } from './database.ts'

export interface ServerSpec {
  readonly database: DatabaseUrls
  /** Lease hints in this Redis; null is the database backend. */
  readonly redisUrl: string | null
  readonly workers: number
  /** Agents that get a key. */
  readonly keys: number
  /** Order types besides `bench.echo`: `bench.kind-0` and so on. */
  readonly furtherTypes: number
  /** How many items of one type may be under a lease at a time; null: no limit. */
  readonly leasesPerType: number | null
  /** Tenants besides the first, each with two agents. */
  readonly tenants: number
}

export interface Ready {
  readonly url: string
  readonly tenantId: string
  readonly agents: Array<{ readonly id: string; readonly key: string }>
  readonly proposer: string
  readonly reviewer: string
  readonly tenants: ReadonlyArray<{ readonly proposer: string; readonly agents: readonly string[] }>
  readonly heartbeatEverySeconds: number
  readonly idempotencyTtlSeconds: number
}
export interface Usage {
  readonly rssBytes: number
  readonly cpuMicros: number
}
export interface ServerHandle extends Ready {
  readonly spec: ServerSpec
  usage(): Promise<Usage>
  stop(): Promise<void>
}

/** `nodeArguments` go to the server's Node, for example `--cpu-prof`. */
export async function startServerProcess(spec: ServerSpec, nodeArguments: readonly string[]): Promise<ServerHandle> {
  const child = startChild('server-process.ts', [JSON.stringify(spec)], nodeArguments)
  const ready = await child.message<Ready>('ready').catch(async (error: unknown) => {
    await child.stop()
    throw error
  })
  return { ...ready, spec, usage: () => child.message<Usage>('usage', 'usage'), stop: () => child.stop() }
}

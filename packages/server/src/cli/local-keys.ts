/** The keys that a local server makes for the people and the demo on its own machine, kept in its data directory (mode 0600). */
import { userInfo } from 'node:os'
import type { WorkManager } from '../main.ts'
import { CliError } from './cli-error.ts'
import type { NewKey } from './key-store.ts'
import { demoKeysFile, readPrivateIfThere, reviewerKeyFile, writePrivately } from './local-files.ts'
import { localTenant } from './local-tenant.ts'
import type { RunningServer } from './running-server.ts'

export interface DemoKeys {
  readonly agents: [string, string, string]
  readonly reviewer: string
  readonly proposer: string
}

const agentAbilities = ['work:checkout', 'work:heartbeat', 'work:submit', 'work:view']

const agent = (name: string): NewKey => ({
  kind: 'agent',
  principalId: name,
  name: `demo agent ${name}`,
  abilities: agentAbilities,
})
const demo = {
  agents: [agent('magpie'), agent('sleeper'), agent('stitcher')],
  reviewer: { kind: 'person', principalId: 'demo-reviewer', name: 'demo reviewer', abilities: ['work:*'] },
  proposer: { kind: 'service', principalId: 'demo-proposer', name: 'demo proposer', abilities: ['work:propose', 'work:view'] },
} as const satisfies { agents: NewKey[]; reviewer: NewKey; proposer: NewKey }

/** Makes sure that reviewer.key works: the key of the person at this terminal, who may decide and manage keys. */
export async function ensureReviewerKey({ manager, config, url }: RunningServer): Promise<void> {
  const file = reviewerKeyFile(config.database.data_directory)
  const present = (await readPrivateIfThere(file))?.trim()
  if (present !== undefined && (await works(url, config.server.base_paths[0] as string, present))) return
  const { everyFamily } = await import('@work-manager/contract')
  const person = userInfo().username.replace(/[^\w.-]/g, '_') || 'local'
  await writePrivately(
    file,
    `${await create(manager, { kind: 'person', principalId: person, name: `${person} at the terminal`, abilities: everyFamily })}\n`,
  )
}

/** Makes sure that the demo's keys work, and gives them. */
export async function ensureDemoKeys({ manager, config, url }: RunningServer): Promise<DemoKeys> {
  const directory = config.database.data_directory
  const present = await readDemoKeys(directory)
  if (present !== undefined) {
    const all = await Promise.all(
      [...present.agents, present.reviewer, present.proposer].map((key) => works(url, config.server.base_paths[0] as string, key)),
    )
    if (all.every(Boolean)) return present
  }
  const [a, b, c] = demo.agents
  const keys: DemoKeys = {
    agents: [await create(manager, a), await create(manager, b), await create(manager, c)],
    reviewer: await create(manager, demo.reviewer),
    proposer: await create(manager, demo.proposer),
  }
  await writePrivately(demoKeysFile(directory), `${JSON.stringify(keys, null, 2)}\n`)
  return keys
}

/** The demo's keys as an earlier start left them. */
export async function readDemoKeys(directory: string): Promise<DemoKeys | undefined> {
  const text = await readPrivateIfThere(demoKeysFile(directory)).catch((cause: NodeJS.ErrnoException) => {
    if (cause instanceof CliError) throw cause
    throw new CliError(
      'permission',
      'key_file_unreadable',
      `${demoKeysFile(directory)} cannot be read (${cause.code}).`,
      'Run the command as the user that runs the server.',
      { cause },
    )
  })
  if (text === undefined) return undefined
  try {
    const keys = JSON.parse(text) as DemoKeys
    return [...keys.agents, keys.reviewer, keys.proposer].every((key) => typeof key === 'string') && keys.agents.length === 3
      ? keys
      : undefined
  } catch {
    return undefined
  }
}

async function create(manager: WorkManager, key: NewKey): Promise<string> {
  await manager.keys.tenant(localTenant.slug, localTenant.name, localTenant.tier)
  return (await manager.keys.create({ ...key, tenant: localTenant.slug })).key
}

/** False only when the server does not know the key (any more): another database, a revoked or expired key. */
async function works(url: string, mount: string, key: string): Promise<boolean> {
  const response = await fetch(`${url}${mount}/orders?page[size]=1`, { headers: { authorization: `Bearer ${key}` }, redirect: 'manual' })
  await response.arrayBuffer()
  return response.status !== 401
}

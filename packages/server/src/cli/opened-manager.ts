/** For commands that need the database itself: opens it without serving and without background services, and gives it back. */
import type { WorkManager } from '../main.ts'
import type { Context } from './context.ts'

/**
 * `url`: connect there instead of to what the configuration names.
 * Refuses with: already_running (exit 8) while another process serves the embedded database.
 */
export async function withManager<T>(context: Context, use: (manager: WorkManager) => Promise<T>, url?: string): Promise<T> {
  const config = await context.config()
  const [{ openWorkManager }, { pino }] = await Promise.all([import('../main.ts'), import('pino')])
  const database = url === undefined ? config.database : { ...config.database, url, max_connections: 8 }
  const manager = await openWorkManager({ ...config, database, background: { enabled: false } }, { log: pino({ level: 'silent' }) })
  try {
    return await use(manager)
  } finally {
    await manager.stop()
  }
}

/** Whether administration opens the database itself: no server was named, and the database is ours to open or no server runs. */
export async function opensDatabase(context: Context): Promise<boolean> {
  const named = context.options.url !== undefined || (context.env.WORK_MANAGER_URL ?? '') !== ''
  return !named && ((await context.config()).database.url !== undefined || !(await answers(await context.url())))
}

/** True when something listens there; whether it is Work Manager, the first request will tell. */
export async function answers(url: string): Promise<boolean> {
  try {
    const response = await fetch(new URL('/livez', url), { signal: AbortSignal.timeout(2000), redirect: 'manual' })
    await response.arrayBuffer()
    return true
  } catch {
    return false
  }
}

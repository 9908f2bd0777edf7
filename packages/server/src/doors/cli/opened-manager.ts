/** For commands that need the database itself: opens it without serving and without background services, and gives it back. */
import { pino } from 'pino'
import type { WorkManager } from '../../main.ts'
import type { Context } from './context.ts'

/** Refuses with: already_running (exit 8) while another process serves the embedded database. */
export async function withManager<T>(context: Context, use: (manager: WorkManager) => Promise<T>): Promise<T> {
  const config = await context.config()
  const { openWorkManager } = await import('../../main.ts')
  const manager = await openWorkManager({ ...config, background: { enabled: false } }, { log: pino({ level: 'silent' }) })
  try {
    return await use(manager)
  } finally {
    await manager.stop()
  }
}

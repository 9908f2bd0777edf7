/** A new embedded database, migrated from nothing, for as long as `work` runs: two to three seconds, and no server to set up. */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { startEmbeddedPostgres } from '../../packages/server/src/embedded/index.ts'
import { migrate } from '../../packages/server/src/kernel/store/migrate.ts'

export async function withFreshDatabase<T>(work: (url: string) => Promise<T>): Promise<T> {
  const directory = await mkdtemp(path.join(tmpdir(), 'work-manager-generate-'))
  try {
    const embedded = await startEmbeddedPostgres({ directory: path.join(directory, 'data') })
    try {
      await migrate({ adminUrl: embedded.adminUrl })
      return await work(embedded.adminUrl)
    } finally {
      await embedded.stop('immediate')
    }
  } finally {
    await rm(directory, { recursive: true, force: true })
  }
}

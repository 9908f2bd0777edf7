/**
 * One real PostgreSQL for the whole run, with a migrated template; every test file clones it. The embedded one by default, in a
 * directory of its own; TEST_DATABASE_ADMIN_URL names another server (its owner must be able to create databases and roles).
 */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import pg from 'pg'
import type { TestProject } from 'vitest/node'
import { startEmbeddedPostgres } from '../src/embedded/index.ts'
import { migrate } from '../src/kernel/store/migrate.ts'
import { onDatabase } from './database-url.ts'
import { recordView } from './record-view.ts'

declare module 'vitest' {
  interface ProvidedContext {
    adminUrl: string
    runtimeUrl: string
    templateDatabase: string
  }
}

async function provideServer(): Promise<{ adminUrl: string; runtimeUrl: string; stop(): Promise<void> }> {
  const external = process.env.TEST_DATABASE_ADMIN_URL
  if (external) {
    const url = new pg.Client({ connectionString: external })
    const runtimeUrl = external.replace(/\/\/[^@]*@/, '//work_manager_test_runtime:test@')
    if (runtimeUrl === external) throw new Error(`TEST_DATABASE_ADMIN_URL must name a user: postgres://user@host/${url.database ?? 'db'}`)
    return { adminUrl: external, runtimeUrl, stop: async () => {} }
  }
  const directory = await mkdtemp(path.join(tmpdir(), 'work-manager-tests-'))
  const embedded = await startEmbeddedPostgres({ directory: path.join(directory, 'data') })
  return {
    adminUrl: embedded.adminUrl,
    runtimeUrl: embedded.runtimeUrl,
    async stop() {
      await embedded.stop('immediate')
      await rm(directory, { recursive: true, force: true })
    },
  }
}

export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  const server = await provideServer()
  const template = `wm_template_${process.pid}`
  const admin = new pg.Client({ connectionString: server.adminUrl })
  await admin.connect()
  await admin.query(`create database ${template}`)
  await migrate({ adminUrl: onDatabase(server.adminUrl, template), runtimeUrl: onDatabase(server.runtimeUrl, template) })
  const owner = new pg.Client({ connectionString: onDatabase(server.adminUrl, template) })
  await owner.connect()
  await owner.query(recordView)
  await owner.end()
  project.provide('adminUrl', server.adminUrl)
  project.provide('runtimeUrl', server.runtimeUrl)
  project.provide('templateDatabase', template)
  return async () => {
    await admin.query(`drop database if exists ${template} with (force)`)
    await admin.end()
    await server.stop()
  }
}

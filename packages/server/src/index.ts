/**
 * Work Manager as a library: `createWorkManager` in a process of your own, with your order types in code. The same server that
 * `work-manager serve` runs; `listen()` is optional when you only call operations through `run`.
 */
import { type ConfigInput, loadConfig } from './config/index.ts'
import { openWorkManager, type WorkManager, type WorkManagerOptions } from './main.ts'
import type { Generator } from './work/generators/define-generator.ts'
import type { OrderType } from './work/order-types/define-order-type.ts'

export interface CreateOptions extends Pick<WorkManagerOptions, 'log'> {
  /** Your order types; those that ship with the product stay available unless config.order_types.shipped is false. */
  readonly orderTypes?: readonly OrderType[]
  readonly generators?: readonly Generator[]
  /** Settings in code: they win over the configuration file, the environment wins over them. */
  readonly config?: ConfigInput
  /** Defaults to process.env and the current directory. */
  readonly env?: NodeJS.ProcessEnv
  readonly cwd?: string
}

/**
 * Opens the database (embedded unless DATABASE_URL is set), migrates it when it may, and wires everything.
 * Refuses with: ConfigError, EmbeddedStartError, MigrationError, LocksHeldError, UnfitDatabaseError, UnfitRedisError, DefinitionError.
 */
export async function createWorkManager(options: CreateOptions = {}): Promise<WorkManager> {
  const config = await loadConfig({ env: options.env ?? process.env, cwd: options.cwd ?? process.cwd(), code: options.config })
  return openWorkManager(config, {
    types: options.orderTypes ?? [],
    generators: options.generators ?? [],
    ...(options.log ? { log: options.log } : {}),
  })
}

export { createOrderContextGuard, type OrderContext, type OrderContextGuard, orderContextHeader } from './work/applying/order-context.ts'
export { defineConfig, ConfigError, type Config, type ConfigInput } from './config/index.ts'
export { EmbeddedStartError } from './embedded/index.ts'
export { migrateDatabase, openWorkManager, UnfitDatabaseError, type WorkManager, type WorkManagerOptions } from './main.ts'
export { type LedgerExport, verifyExport } from './ledger/verify.ts'
export { UnfitRedisError } from './redis/connection.ts'
export { operations } from './systems.ts'
export * from './work/order-types/author.ts'

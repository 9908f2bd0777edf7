// How our PostgreSQL is run. Everything stands on the command line, which wins over postgresql.conf and ALTER SYSTEM, and what
// durability rests on is asked back from the running server.

import { chown, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Account } from './run-as.ts'

/** Where the server listens: a private socket, or (Windows) a loopback port. */
export interface Endpoint {
  readonly socketDirectory: string | undefined
  readonly port: number
}

/** What must be true of the running server, whatever a configuration file says. */
export const REQUIRED_SETTINGS: Readonly<Record<string, string>> = {
  fsync: 'on',
  full_page_writes: 'on',
  synchronous_commit: 'on',
  data_checksums: 'on',
  TimeZone: 'UTC',
  jit: 'off',
}

export function serverSettings(clusterId: string, endpoint: Endpoint): Record<string, string> {
  return {
    ...listening(endpoint),
    cluster_name: `work-manager-${clusterId}`,
    fsync: 'on',
    full_page_writes: 'on',
    synchronous_commit: 'on',
    restart_after_crash: 'on',
    // Small on purpose: a laptop or a 512 MiB container. The order queue's working set fits; the rest is the file cache's.
    shared_buffers: '128MB',
    max_connections: '60',
    max_wal_size: '1GB',
    checkpoint_completion_target: '0.9',
    random_page_cost: '1.1',
    jit: 'off', // compiling costs more than any of our short statements
    // Queue-like tables turn over quickly: look four times a minute, clean at 5 % dead rows rather than 20 %.
    autovacuum: 'on',
    autovacuum_naptime: '15s',
    autovacuum_vacuum_scale_factor: '0.05',
    autovacuum_analyze_scale_factor: '0.05',
    password_encryption: 'scram-sha-256',
    timezone: 'UTC',
    log_timezone: 'UTC',
    lc_messages: 'C',
    logging_collector: 'off',
    log_destination: 'stderr',
    log_line_prefix: '%m [%p] ',
    log_checkpoints: 'off',
  }
}

function listening(endpoint: Endpoint): Record<string, string> {
  if (endpoint.socketDirectory === undefined)
    return { listen_addresses: '127.0.0.1', port: String(endpoint.port), unix_socket_directories: '' }
  return {
    listen_addresses: '',
    port: String(endpoint.port),
    unix_socket_directories: endpoint.socketDirectory,
    unix_socket_permissions: '0700',
  }
}

export function commandLine(settings: Record<string, string>): string[] {
  return Object.entries(settings).flatMap(([name, value]) => ['-c', `${name}=${value}`])
}

/** Writes who may connect: our two roles, by password, on the one endpoint. Written at each start, so that no edit can open it. */
export async function writeAccessRules(dataDir: string, account: Account | undefined): Promise<void> {
  const rule = process.platform === 'win32' ? 'host all all 127.0.0.1/32 scram-sha-256' : 'local all all scram-sha-256'
  const path = join(dataDir, 'pg_hba.conf')
  await writeFile(path, `# Written by Work Manager at each start.\n${rule}\n`, { mode: 0o600 })
  if (account) await chown(path, account.uid, account.gid)
}

/** Numbers without a gap, whoever is slow, however many write, and whichever sequencer dies. */
import { fork } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import pg from 'pg'
import { uuidv7 } from 'uuidv7'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { createTestDatabase, type TestDatabase } from '../../testing/test-database.ts'
import { until } from '../../testing/test-server.ts'
import { type Database, openDatabase } from '../kernel/store/database.ts'
import { findNewestIntake } from '../kernel/store/event-count.ts'
import { appendEvents, systemActor } from '../kernel/store/events.ts'
import { createSequencer } from './sequencer.ts'
import { numberTenant } from './store.ts'
import { nullMetrics } from '../metrics/metrics.ts'
import { verifyLedger } from './verify.ts'

let test: TestDatabase
let one: Database
let two: Database
let tenants: [string, string]
const actor = systemActor('test')
const open = () => openDatabase({ url: test.runtimeUrl, maxConnections: 24, onError: () => {} })

beforeAll(async () => {
  test = await createTestDatabase()
  ;[one, two] = [open(), open()]
})
afterAll(async () => {
  await Promise.all([one.close(), two.close()])
  await test.drop()
})
beforeEach(async () => {
  tenants = [uuidv7(), uuidv7()]
  for (const id of tenants) await test.sql('insert into wm.tenants (id, slug, name) values ($1, $2, $2)', [id, `t-${id}`])
})

/** A transaction with `count` events. */
const write = (db: Database, tenant: string, message: string, count = 1) =>
  db.app.transaction(tenant, async (tx) =>
    appendEvents(
      tx,
      actor,
      await tx.clock(),
      Array.from({ length: count }, () => ({ kind: 'order.stale' as const, message })),
    ),
  )

const numbered = (tenant: string) =>
  test.sql<{ seq: number; message: string }>(`select seq::int as seq, message from wm.events where tenant_id = $1 order by seq`, [tenant])
async function expectWhole(tenant: string, events: number): Promise<void> {
  expect((await numbered(tenant)).map((row) => row.seq)).toEqual(Array.from({ length: events }, (_, n) => n + 1))
  expect(await verifyLedger(one.system, tenant)).toMatchObject({ ok: true, entries: events })
}

/** A connection of its own that takes part by hand, as the gate of a race. */
async function withGate(work: (client: pg.Client) => Promise<void>): Promise<void> {
  const client = new pg.Client({ connectionString: test.adminUrl })
  client.on('error', () => {})
  await client.connect()
  try {
    await work(client)
  } finally {
    await client.end()
  }
}

describe('a slow transaction', () => {
  it('is not skipped, and delays only itself', async () => {
    const [tenant, neighbour] = tenants
    await withGate(async (slow) => {
      await slow.query('begin')
      await slow.query(
        `insert into wm.intake (tenant_id, kinds, messages, decided_at) values ('${tenant}', '{order.stale}', '{slow}', clock_timestamp())`,
      )
      // Passes go by it while it is open.
      for (const look of [
        () => createSequencer(one.system, nullMetrics).sweep(),
        () => createSequencer(one.system, nullMetrics).run(),
        () => createSequencer(one.system, nullMetrics).sweep(),
      ]) {
        for (let n = 0; n < 40; n++) await write(one, n % 2 === 0 ? tenant : neighbour, 'quick')
        await look()
      }
      expect((await numbered(tenant)).map((row) => row.message)).toEqual(Array.from({ length: 60 }, () => 'quick'))
      expect(await numbered(neighbour)).toHaveLength(60)
      await write(one, tenant, 'after the look')
      await createSequencer(one.system, nullMetrics).run()
      await slow.query('commit')
    })
    await createSequencer(one.system, nullMetrics).sweep()
    expect((await numbered(tenant)).slice(60).map((row) => row.message)).toEqual(['after the look', 'slow'])
    await expectWhole(tenant, 62)
    await expectWhole(neighbour, 60)
  })

  it('that is rolled back leaves no gap', async () => {
    const [tenant] = tenants
    await withGate(async (slow) => {
      await slow.query('begin')
      await slow.query(
        `insert into wm.intake (tenant_id, kinds, messages, decided_at) values ('${tenant}', '{order.stale}', '{never}', clock_timestamp())`,
      )
      await write(one, tenant, 'before')
      await createSequencer(one.system, nullMetrics).sweep()
      await slow.query('rollback')
    })
    await write(one, tenant, 'after')
    await createSequencer(one.system, nullMetrics).sweep()
    expect((await numbered(tenant)).map((row) => row.message)).toEqual(['before', 'after'])
  })
})

describe('many at once', () => {
  it('two sequencers and 200 writers leave every event numbered once, in each tenant', async () => {
    const written = new AbortController()
    const said: unknown[] = []
    const log = { error: (...line: unknown[]) => void said.push(line) }
    const sequencers = [one, two].map(async (db) => {
      const sequencer = createSequencer(db.system, nullMetrics, { log })
      while (!written.signal.aborted) await sequencer.run()
    })
    // Every tenth writer brings several events, every other one goes to the neighbour, half come from the other process.
    await Promise.all(
      Array.from({ length: 200 }, (_, n) => write(n % 4 < 2 ? one : two, tenants[n % 2]!, `writer ${n}`, n % 10 === 0 ? 7 : 1)),
    )
    written.abort()
    await Promise.all(sequencers)
    await createSequencer(one.system, nullMetrics).sweep()
    expect(said, 'they never get into each other’s way').toEqual([])
    const [mine, theirs] = await Promise.all(tenants.map(numbered))
    expect(mine!.length + theirs!.length).toBe(180 + 20 * 7)
    expect(new Set([...mine!, ...theirs!].map((row) => row.message)).size).toBe(200)
    for (const [n, tenant] of tenants.entries()) await expectWhole(tenant, [mine, theirs][n]!.length)
  })

  it('a backlog of several batches is numbered in one sweep', async () => {
    const [tenant] = tenants
    for (const n of [1, 2, 3]) await write(one, tenant, `batch ${n}`, 450)
    expect(await createSequencer(one.system, nullMetrics).sweep()).toBe(1350)
    await expectWhole(tenant, 1350)
  })
})

it('large events are numbered some megabytes at a time, by the sequencer and for a reader', async () => {
  const [tenant] = tenants
  await test.sql(
    `insert into wm.intake (tenant_id, decided_at, kinds, payloads, messages)
     select $1, clock_timestamp(), '{order.proposed}', array['"' || repeat(md5(n::text), 65536) || '"'], array[n::text] from generate_series(1, 20) n`,
    [tenant],
  )
  const passes: Array<[number, boolean]> = []
  for (let more = true; more;) {
    const pass = await numberTenant(one.system, tenant, 2000)
    passes.push([pass.done, pass.more])
    more = pass.more
  }
  expect(passes, 'eight of two megabytes each').toEqual([
    [8, true],
    [8, true],
    [4, false],
  ])
  expect((await numbered(tenant)).map((row) => row.message)).toEqual(Array.from({ length: 20 }, (_, n) => String(n + 1)))
  await expectWhole(tenant, 20)
})

it('a backlog of more tenants than one pass takes is numbered in one sweep', async () => {
  const all = Array.from({ length: 51 }, () => uuidv7())
  for (const id of all) await test.sql('insert into wm.tenants (id, slug, name) values ($1, $2, $2)', [id, `t-${id}`])
  for (const id of all) for (const size of [20, 10]) await write(one, id, 'one of many', size)
  expect(await createSequencer(one.system, nullMetrics).sweep()).toBe(51 * 30)
})

/** Numbering of the tenant fails from here on, as if a row of it could not be read. */
async function poison(tenant: string): Promise<() => Promise<void>> {
  const name = `poison_${tenant.replaceAll('-', '_')}`
  await test.sql(`create function public.${name}() returns trigger language plpgsql as $$ begin raise exception 'poisoned'; end $$`)
  await test.sql(
    `create trigger ${name} before insert on wm.events for each row when (new.tenant_id = '${tenant}') execute function public.${name}()`,
  )
  return async () => {
    await test.sql(`drop trigger ${name} on wm.events; drop function public.${name}()`)
  }
}

describe('a tenant whose events cannot be numbered', () => {
  it('is named, tried again later and later, and delays nobody else', async () => {
    const [sick, well] = tenants
    const said: Array<Record<string, unknown>> = []
    const counted: string[] = []
    let now = 0
    const sequencer = createSequencer(
      one.system,
      { ...nullMetrics, increment: (name) => void counted.push(name) },
      {
        log: { error: (line: object) => void said.push(line as Record<string, unknown>) },
        now: () => now,
      },
    )
    const heal = await poison(sick)
    try {
      for (let n = 0; n < 3; n++) for (const tenant of tenants) await write(one, tenant, `event ${n}`)
      expect(await sequencer.sweep()).toBe(3)
      expect(await numbered(well)).toHaveLength(3)
      expect(said).toEqual([expect.objectContaining({ tenantId: sick, code: 'P0001', reason: 'poisoned', failures: 1 })])
      expect(counted).toContain('numbering_failures_total')

      await write(one, well, 'goes on')
      expect(await sequencer.sweep()).toBe(1)
      expect(said, 'not tried before its time').toHaveLength(1)
      now = 1000
      await sequencer.sweep()
      now = 2500
      await sequencer.sweep()
      expect(
        said.map(({ failures }) => failures),
        'after a second, then after two',
      ).toEqual([1, 2])
    } finally {
      await heal()
    }
    now = 10_000
    expect(await sequencer.sweep()).toBe(3)
    await expectWhole(sick, 3)
    await expectWhole(well, 4)
  })

  it('gets no page of its record with a gap: its readers are told, others read on', async () => {
    const [sick, well] = tenants
    const sequencer = createSequencer(one.system, nullMetrics)
    for (const tenant of tenants) await write(one, tenant, 'written')
    const newest = async (tenant: string) => (await one.app.read(tenant, findNewestIntake))!
    const heal = await poison(sick)
    try {
      await expect(sequencer.catchUp(sick, await newest(sick))).rejects.toMatchObject({ code: 'record_behind' })
      await sequencer.catchUp(well, await newest(well))
    } finally {
      await heal()
    }
    await sequencer.catchUp(sick, await newest(sick))
    for (const tenant of tenants) await expectWhole(tenant, 1)
  })

  it('waits longer each time, though there are more tenants than one pass takes', async () => {
    const all = Array.from({ length: 51 }, () => uuidv7()).toSorted()
    const [sick] = all as [string]
    for (const id of all) await test.sql('insert into wm.tenants (id, slug, name) values ($1, $2, $2)', [id, `t-${id}`])
    const failures: unknown[] = []
    let now = 0
    const log = { error: (line: object) => void failures.push((line as { failures: number }).failures) }
    const sequencer = createSequencer(one.system, nullMetrics, { log, now: () => now })
    const heal = await poison(sick)
    try {
      // Pass one comes to the first fifty, pass two to the last, pass three begins anew.
      for (const time of [0, 1500, 3000]) {
        now = time
        for (const id of all) await write(one, id, 'more')
        await sequencer.run()
      }
      expect(failures).toEqual([1, 2])
    } finally {
      await heal()
    }
    now = 100_000
    await sequencer.sweep()
    await expectWhole(sick, 3)
  })

  it('that has a long backlog keeps no reader for all of it: the next one goes on', async () => {
    const [tenant] = tenants
    await write(one, tenant, 'one of many', 4500)
    const newest = (await one.app.read(tenant, findNewestIntake))!
    let now = 0
    const sequencer = createSequencer(one.system, nullMetrics, { now: () => (now += 3000) })
    await expect(sequencer.catchUp(tenant, newest)).rejects.toMatchObject({ code: 'record_behind' })
    expect(await numbered(tenant)).toHaveLength(2000)
    await expect(sequencer.catchUp(tenant, newest)).rejects.toMatchObject({ code: 'record_behind' })
    await sequencer.catchUp(tenant, newest)
    await expectWhole(tenant, 4500)
  })

  it('that somebody else is numbering just now is passed by; its reader waits for it', async () => {
    const [held, free] = tenants
    for (const tenant of tenants) await write(one, tenant, 'written')
    const newest = (await one.app.read(held, findNewestIntake))!
    await createSequencer(one.system, nullMetrics).sweep()
    for (const tenant of tenants) await write(one, tenant, 'and more')
    await withGate(async (gate) => {
      await gate.query('begin')
      await gate.query('select from wm.ledger_heads where tenant_id = $1 for update', [held])
      const said: unknown[] = []
      const log = { error: (...line: unknown[]) => void said.push(line) }
      expect(await createSequencer(one.system, nullMetrics, { log }).sweep()).toBe(1)
      expect(said, 'nobody waits, and nothing fails').toEqual([])
      expect(await numbered(free)).toHaveLength(2)
      const reader = createSequencer(two.system, nullMetrics).catchUp(held, newest)
      await gate.query('commit')
      await reader
    })
    await expectWhole(held, 2)
  })
})

it('an old snapshot that somebody holds changes nothing: every event gets its number, once', async () => {
  const [tenant] = tenants
  await withGate(async (old) => {
    await old.query('begin isolation level repeatable read')
    await old.query('select count(*) from wm.intake')
    for (let n = 0; n < 30; n++) {
      await write(one, tenant, `event ${n}`)
      await createSequencer(n % 2 === 0 ? one.system : two.system, nullMetrics).run()
    }
    expect(await numbered(tenant)).toHaveLength(30)
    await old.query('commit')
  })
  await expectWhole(tenant, 30)
})

describe('fail-over', () => {
  it('what a process committed before it was killed is numbered by the next one', async () => {
    const [tenant] = tenants
    const child = fork(fileURLToPath(new URL('../../testing/write-and-die.ts', import.meta.url)), [], { stdio: 'inherit', execArgv: [] })
    child.send({ url: test.runtimeUrl, tenant })
    const [, signal] = (await once(child, 'exit')) as [number | null, string | null]
    expect(signal).toBe('SIGKILL')
    expect(await numbered(tenant)).toEqual([])
    expect(await createSequencer(two.system, nullMetrics).sweep()).toBe(3)
    await expectWhole(tenant, 3)
  })

  it('another process numbers at once when the sequencer is killed in the middle of its batch', async () => {
    const [tenant] = tenants
    await write(one, tenant, 'before the kill', 3)
    await withGate(async (gate) => {
      // The sequencer has its lock and waits here, half way.
      await gate.query('begin')
      await gate.query('lock table wm.events in exclusive mode')
      const killed = createSequencer(one.system, nullMetrics)
        .sweep()
        .catch((error: unknown) => error)
      const pid = await until(
        async () =>
          (
            await test.sql<{ pid: number }>(
              `select pid from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock' and query like '%wm.number_pass(%'`,
            )
          )[0]?.pid,
        'the sequencer waits at the gate',
      )
      expect(await createSequencer(two.system, nullMetrics).sweep(), 'the second one stands back').toBe(0)
      await test.sql('select pg_terminate_backend($1)', [pid])
      expect(await killed).toMatchObject({ code: 'database_unavailable' })
      await gate.query('rollback')
    })
    expect(await createSequencer(two.system, nullMetrics).sweep()).toBe(3)
    await expectWhole(tenant, 3)
  })

  it('after a restart the numbers go on where they were', async () => {
    const [tenant] = tenants
    await write(one, tenant, 'first life', 2)
    await createSequencer(one.system, nullMetrics).sweep()
    await write(one, tenant, 'written, not yet numbered', 2)
    const again = open()
    try {
      await write(again, tenant, 'second life')
      await createSequencer(again.system, nullMetrics).run()
    } finally {
      await again.close()
    }
    expect((await numbered(tenant)).map((row) => row.message)).toEqual([
      'first life',
      'first life',
      'written, not yet numbered',
      'written, not yet numbered',
      'second life',
    ])
    await expectWhole(tenant, 5)
  })
})

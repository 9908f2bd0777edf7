/** One contract for every driver, against real receivers: what is counted arrives, and a receiver that is away costs nothing. */
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { pino } from 'pino'
import { afterEach, describe, expect, it } from 'vitest'
import { freePort } from '../../testing/peers/redis-server.ts'
import { metricsDrivers } from './drivers/index.ts'
import { createOtelDriver, MissingPackageError } from './drivers/otel.ts'
import { packLines } from './drivers/statsd.ts'
import { otlpCollector, type Receiver, receivers, silent, udpReceiver } from './fixtures/receivers.ts'
import type { DriverOptions, MetricsDriver } from './metrics.ts'
import { mostSeries } from './series.ts'

const ends: Array<() => Promise<unknown>> = []
afterEach(async () => {
  for (const end of ends.splice(0).toReversed()) await end()
})

/** An interval so long that only the test sends. */
const basic = (given: Partial<DriverOptions> = {}): DriverOptions => ({
  log: silent,
  version: '1.2.3',
  intervalMs: 3_600_000,
  statsd: { host: '127.0.0.1', port: 9 },
  otlpEndpoint: 'http://127.0.0.1:9',
  serviceName: 'work-manager-blue',
  refresh: async () => {},
  ...given,
})
type Name = keyof typeof receivers
async function start(name: Name, given: Partial<DriverOptions> = {}): Promise<{ driver: MetricsDriver; receiver: Receiver }> {
  const receiver = await receivers[name]()
  ends.push(() => receiver.stop())
  const driver = await metricsDrivers[name](basic({ ...receiver.options(receiver.log), ...given }))
  ends.push(() => driver.close())
  return { driver, receiver }
}
const collectGarbage = () => {
  setFlagsFromString('--expose-gc')
  ;(runInNewContext('gc') as () => void)()
}

it('every driver but null has a receiver here', () => {
  expect(Object.keys(receivers).toSorted()).toEqual(
    Object.keys(metricsDrivers)
      .filter((name) => name !== 'null')
      .toSorted(),
  )
})

describe.each(Object.keys(receivers) as Name[])('%s', (name) => {
  it('counters add up, gauges are the last value, durations are counted and summed', async () => {
    const { driver, receiver } = await start(name)
    const labels = { type: 'a.b', reason: 'transient' }
    driver.increment('items_failed_total', labels)
    driver.set('queue_depth', { type: 'a.b' }, 7)
    driver.observe('order_apply_duration_seconds', { type: 'a.b' }, 0.25)
    await receiver.seen(driver)
    driver.increment('items_failed_total', labels, 4)
    driver.increment('items_failed_total', { type: 'c', reason: 'agent' }, 2)
    driver.set('queue_depth', { type: 'a.b' }, 3)
    driver.observe('order_apply_duration_seconds', { type: 'a.b' }, 1.5)
    driver.set('redis_up', {}, 1)
    const seen = await receiver.seen(driver)
    expect(seen.get('items_failed_total{type=a.b,reason=transient}')).toBe(5)
    expect(seen.get('items_failed_total{type=c,reason=agent}')).toBe(2)
    expect(seen.get('queue_depth{type=a.b}')).toBe(3)
    expect(seen.get('redis_up{}')).toBe(1)
    expect(seen.get('order_apply_duration_seconds_count{type=a.b}')).toBe(2)
    expect(seen.get('order_apply_duration_seconds_sum{type=a.b}')).toBeCloseTo(1.75)
  })

  it('a gauge that is not known is not told', async () => {
    const { driver, receiver } = await start(name)
    driver.set('queue_depth', { type: 'a' }, Number.NaN)
    driver.increment('facts_total', { kind: 'order.proposed' })
    const seen = await receiver.seen(driver)
    expect(seen.get('facts_total{kind=order.proposed}')).toBe(1)
    expect([...seen.keys()].filter((each) => each.startsWith('queue_depth'))).toEqual([])
  })

  it('reads the gauges that are not told before it sends', async () => {
    const opened: { driver?: MetricsDriver } = {}
    const { driver, receiver } = await start(name, { refresh: async () => opened.driver!.set('queue_depth', { type: 'fresh' }, 11) })
    opened.driver = driver
    expect((await receiver.seen(driver)).get('queue_depth{type=fresh}')).toBe(11)
  })

  it('labels with awkward characters break nothing', async () => {
    const { driver, receiver } = await start(name)
    driver.increment('facts_total', { kind: 'a"b\\c\nd|#,:@' })
    driver.increment('facts_total', { kind: 'order.proposed' }, 3)
    const seen = await receiver.seen(driver)
    expect(seen.get('facts_total{kind=order.proposed}')).toBe(3)
    expect([...seen].filter(([each]) => each.startsWith('facts_total'))).toHaveLength(2)
  })

  it('never keeps more series than the bound, whatever labels come', async () => {
    const { driver, receiver } = await start(name)
    for (let n = 0; n < mostSeries + 500; n++) driver.increment('facts_total', { kind: `kind-${n}` })
    const seen = [...(await receiver.seen(driver))].filter(([each]) => each.startsWith('facts_total'))
    expect(seen.length).toBeLessThanOrEqual(mostSeries)
    expect(seen.reduce((sum, [, value]) => sum + value, 0)).toBe(mostSeries + 500)
  })

  it('what came after the last sending is sent at the end', async () => {
    const { driver, receiver } = await start(name)
    if (driver.expose) return
    driver.increment('facts_total', { kind: 'order.proposed' }, 9)
    await driver.close()
    expect((await receiver.seen({ ...driver, async flush() {} })).get('facts_total{kind=order.proposed}')).toBe(9)
  })

  it('with the receiver away nothing throws, nothing waits and nothing grows', async () => {
    const warnings: string[] = []
    const log = pino({ level: 'warn' }, { write: (line: string) => void warnings.push(line) })
    const port = await freePort()
    const driver = await metricsDrivers[name](basic({ log, statsd: { host: '127.0.0.1', port }, otlpEndpoint: `http://127.0.0.1:${port}` }))
    ends.push(() => driver.close())
    const load = (count: number) => {
      for (let n = 0; n < count; n++) {
        driver.increment('facts_total', { kind: 'order.proposed' })
        driver.observe('request_duration_seconds', { operation: 'checkout_item', outcome: 'ok' }, n / count)
      }
    }
    load(1_000)
    await driver.flush()
    collectGarbage()
    const before = process.memoryUsage().heapUsed
    const grown = () => {
      collectGarbage()
      return process.memoryUsage().heapUsed - before
    }
    load(1_000_000)
    // As many counts as durations: kept one by one, the numbers alone would be 8 megabytes.
    expect(grown(), 'between two sendings').toBeLessThan(4 * 1024 * 1024)
    await driver.flush()
    load(1_000)
    await driver.flush()
    expect(grown(), 'after sendings that failed').toBeLessThan(4 * 1024 * 1024)
    expect(warnings.length, 'said once, not once per sending').toBeLessThanOrEqual(1)
  })
})

describe('null', () => {
  it('takes everything and has nothing to show', async () => {
    const driver = metricsDrivers.null()
    driver.increment('facts_total', { kind: 'order.proposed' })
    await driver.flush()
    await driver.close()
    expect(driver.expose).toBeUndefined()
  })
})

describe('statsd', () => {
  it('packs lines into datagrams that fit a frame', async () => {
    const receiver = await udpReceiver()
    ends.push(() => receiver.stop())
    const driver = await metricsDrivers.statsd(basic(receiver.options(silent)))
    ends.push(() => driver.close())
    for (let n = 0; n < 300; n++) driver.increment('orders_created_total', { type: `some.order.type.number-${n}` })
    const seen = await receiver.seen(driver)
    expect(seen.size).toBe(300)
    const sizes = receiver.datagrams.map((datagram) => Buffer.byteLength(datagram))
    expect(Math.max(...sizes)).toBeLessThanOrEqual(1432)
    expect(sizes.length, 'not one datagram per line').toBeLessThan(25)
  })

  it('counts bytes, not characters', () => {
    const lines = Array.from({ length: 40 }, (_, n) => `m:1|c|#type:${'ü'.repeat(40)}${n}`)
    const packed = packLines(lines)
    expect(packed.every((datagram) => Buffer.byteLength(datagram) <= 1432)).toBe(true)
    expect(packed.join('\n').split('\n')).toEqual(lines)
  })

  it('sends a sample of many durations with the rate that stands for all', async () => {
    const receiver = await udpReceiver()
    ends.push(() => receiver.stop())
    const driver = await metricsDrivers.statsd(basic(receiver.options(silent)))
    ends.push(() => driver.close())
    for (let n = 0; n < 5000; n++) driver.observe('order_apply_duration_seconds', { type: 'a' }, 2)
    const seen = await receiver.seen(driver)
    expect(seen.get('order_apply_duration_seconds_count{type=a}')).toBeCloseTo(5000, -1)
    expect(seen.get('order_apply_duration_seconds_sum{type=a}')).toBeCloseTo(10_000, -1)
  })

  it('goes on when the receiver comes back', async () => {
    const port = await freePort()
    const driver = await metricsDrivers.statsd(basic({ statsd: { host: '127.0.0.1', port } }))
    ends.push(() => driver.close())
    for (let n = 0; n < 5; n++) {
      driver.increment('facts_total', { kind: 'order.proposed' })
      await driver.flush()
    }
    const receiver = await udpReceiver(port)
    ends.push(() => receiver.stop())
    let seen = new Map<string, number>()
    for (let n = 0; n < 5 && seen.size === 0; n++) {
      driver.increment('facts_total', { kind: 'order.applied' })
      seen = await receiver.seen(driver)
    }
    expect(seen.get('facts_total{kind=order.applied}')).toBeGreaterThan(0)
  })
})

describe('otel', () => {
  it('names itself, and a collector that was away gets the totals when it is back', async () => {
    const port = await freePort()
    const driver = await metricsDrivers.otel(basic({ otlpEndpoint: `http://127.0.0.1:${port}/` }))
    ends.push(() => driver.close())
    driver.increment('facts_total', { kind: 'order.proposed' }, 3)
    await driver.flush()
    const collector = await otlpCollector(port)
    ends.push(() => collector.stop())
    driver.increment('facts_total', { kind: 'order.proposed' }, 4)
    expect((await collector.seen(driver)).get('facts_total{kind=order.proposed}')).toBe(7)
    expect(collector.paths[0]).toBe('/v1/metrics')
    expect(collector.resources[0]).toMatchObject({ 'service.name': 'work-manager-blue', 'service.version': '1.2.3' })
  })

  it('without its packages says what to install', async () => {
    // A specifier in a variable: the compiler would look for it.
    const absent = '@opentelemetry/not-installed'
    const error = await createOtelDriver(basic(), () => import(absent)).catch((thrown: unknown) => thrown)
    expect(error).toBeInstanceOf(MissingPackageError)
    expect(String(error)).toContain('npm install @opentelemetry/sdk-metrics')
  })
})

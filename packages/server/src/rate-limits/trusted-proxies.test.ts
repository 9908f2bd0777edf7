import net from 'node:net'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { generateKey } from '../access/api-keys.ts'
import type { ConfigInput } from '../config/index.ts'
import { createTestDatabase, type TestDatabase } from '../../testing/test-database.ts'
import { startTestServer, type TestServer } from '../../testing/test-server.ts'

let database: TestDatabase
let server: TestServer | null = null
beforeAll(async () => void (database = await createTestDatabase()))
afterEach(async () => {
  await server?.stop()
  server = null
})
afterAll(() => database.drop())

/** Three failures per address, and no more come while a test runs. */
const limits = { enabled: true, anonymous_per_minute: 1, burst_seconds: 180 }
async function start(trust: ConfigInput['server'], more: ConfigInput = {}): Promise<TestServer> {
  server = await startTestServer({ database, config: { server: trust, rate_limits: limits, ...more } })
  return server
}

/** Raw bytes, so that a header can be whatever an attacker writes. Lines are the header lines between the request line and the end. */
function send(
  lines: readonly string[],
  { path = '/api/work/types', localAddress = '127.0.0.1' } = {},
): Promise<{ status: number; text: string }> {
  const { port } = new URL(server!.url)
  return new Promise((resolve, reject) => {
    const socket = net.connect({ host: '127.0.0.1', port: Number(port), localAddress })
    let text = ''
    socket.on('error', reject)
    socket.on('data', (chunk) => (text += chunk.toString('latin1')))
    socket.on('close', () => resolve({ status: Number(text.split(' ')[1]), text }))
    socket.write([`GET ${path} HTTP/1.1`, `Host: 127.0.0.1:${port}`, 'Connection: close', ...lines, '', ''].join('\r\n'))
  })
}
const statuses = async (requests: Iterable<readonly string[]>, from?: { localAddress: string }): Promise<number[]> => {
  const all: number[] = []
  for (const lines of requests) all.push((await send(lines, from)).status)
  return all
}
const forwarded = (...values: string[]): string[] => values.map((value) => `X-Forwarded-For: ${value}`)
const wrongKey = `Authorization: Bearer ${generateKey('agent').plain}`

describe('an address without a valid key', () => {
  it('has few tries, whatever it tries with: no key, nonsense, a wrong key; then 429 with a time', async () => {
    await start({ trust_proxy: false })
    expect(await statuses([[], ['Authorization: Basic eDp5'], [wrongKey], [], [wrongKey]])).toEqual([401, 401, 401, 429, 429])
    const { text } = await send([])
    expect(text).toMatch(/\r\nretry-after: \d+\r\n/i)
    expect(text).toMatch(/\r\nratelimit-policy: "address";q=3;w=180\r\n/i)
    expect(JSON.parse(text.split('\r\n\r\n')[1]!)).toMatchObject({
      code: 'rate_limited',
      scope: 'address',
      tier: 'anonymous',
      limit: 3,
      detail: expect.stringMatching(/^Without a valid key, one address may send 1 request a minute \(3 at once\)/),
    })
    // The MCP door counts into the same bucket; pages without a key are not limited.
    expect((await send([], { path: '/mcp' })).status).toBe(429)
    for (let i = 0; i < 10; i++) expect((await send([], { path: '/livez' })).status).toBe(200)
  })

  it('that has used up its tries locks nobody out who has a key, and costs other addresses nothing', async () => {
    const { caller } = await start({ trust_proxy: false })
    const agent = await caller('agent', 'a')
    expect((await agent.get('/types')).status).toBe(200)
    await statuses(Array.from({ length: 10 }, () => [wrongKey]))
    expect((await send([])).status).toBe(429)
    expect((await agent.get('/types')).status).toBe(200)
    expect(await statuses([[]], { localAddress: '127.0.0.2' })).toEqual([401])
  })
})

describe('who the address is', () => {
  it('without trusted proxies: the peer, whatever the headers say', async () => {
    await start({ trust_proxy: false })
    const spoofs = [
      forwarded('203.0.113.1'),
      forwarded('203.0.113.2, 127.0.0.1'),
      ['Forwarded: for=203.0.113.3', 'X-Real-IP: 203.0.113.3', 'X-Client-IP: 203.0.113.3', 'CF-Connecting-IP: 203.0.113.3'],
      forwarded('203.0.113.4'),
      forwarded('203.0.113.5', '203.0.113.6'),
    ]
    expect(await statuses(spoofs)).toEqual([401, 401, 401, 429, 429])
  })

  it('behind a trusted proxy: the right-most address that is not a trusted one; what stands left of it was written by anybody', async () => {
    await start({ trust_proxy: ['loopback', '10.0.0.0/8'] })
    const real = '198.51.100.7'
    const spoofs = [
      forwarded(real),
      forwarded(`203.0.113.1, ${real}`),
      forwarded(`203.0.113.2, 10.9.9.9, ${real}, 10.0.0.3`),
      forwarded(`203.0.113.3, ${real}, 10.0.0.4`),
      // Two header lines are one list.
      forwarded('203.0.113.4', real),
      forwarded(`127.0.0.1, ${real}`),
    ]
    expect(await statuses(spoofs)).toEqual([401, 401, 401, 429, 429, 429])
    expect(await statuses([forwarded('198.51.100.8')])).toEqual([401])
  })

  it('a peer that is no trusted proxy is not believed, even when it claims to speak for one', async () => {
    await start({ trust_proxy: ['10.0.0.0/8'] })
    expect(
      await statuses([forwarded('203.0.113.1'), forwarded('203.0.113.2, 10.0.0.1'), forwarded('10.0.0.1'), forwarded('203.0.113.4')]),
    ).toEqual([401, 401, 401, 429])
  })

  it('what is no address is the proxy’s own: a made-up name is not a bucket of its own', async () => {
    await start({ trust_proxy: ['loopback'] })
    const odd = ['unknown', '_hidden', 'x'.repeat(200), "'; drop table", '999.1.1.1']
    // The first one is the proxy itself.
    expect(await statuses([[], ...odd.map((value) => forwarded(value))])).toEqual([401, 401, 401, 429, 429, 429])
  })

  it('a port behind it is not part of it', async () => {
    await start({ trust_proxy: ['loopback'] })
    const same = ['198.51.100.9:1000', '198.51.100.9:1001', '198.51.100.9', '198.51.100.9:1002', '[2001:db8:1:2::1]:443', '2001:db8:1:2::2']
    expect(await statuses(same.map((value) => forwarded(value)))).toEqual([401, 401, 401, 429, 401, 401])
  })

  it('one IPv6 network is one address, IPv4 in IPv6 is IPv4', async () => {
    await start({ trust_proxy: ['loopback'] })
    const one = ['2001:db8:1:2::1', '2001:db8:1:2:ffff::9', '2001:DB8:1:2:0:0:0:3', '2001:db8:1:2::4', '2001:db8:1:3::1']
    expect(await statuses(one.map((value) => forwarded(value)))).toEqual([401, 401, 401, 429, 401])
    const four = ['198.51.100.20', '::ffff:198.51.100.20', '::ffff:c633:6414', '198.51.100.20']
    expect(await statuses(four.map((value) => forwarded(value)))).toEqual([401, 401, 401, 429])
  })

  it('ever new addresses behind a proxy are answered as what they are', async () => {
    await start({ trust_proxy: ['loopback'] })
    const many = Array.from({ length: 300 }, (_, i) => forwarded(`198.18.${i >> 8}.${i & 255}`))
    expect(new Set(await statuses(many))).toEqual(new Set([401]))
  })
})

/** Several worker processes behind one port answer a scrape as one server. */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { parseExposition } from './fixtures/receivers.ts'

let primary: ChildProcess
let url: string
beforeAll(async () => {
  primary = spawn(process.execPath, [fileURLToPath(new URL('./fixtures/cluster.ts', import.meta.url))], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const [port] = (await once(primary.stdout!, 'data')) as [Buffer]
  url = `http://127.0.0.1:${String(port).trim()}`
})
afterAll(async () => {
  const gone = once(primary, 'exit')
  primary.kill('SIGKILL')
  await gone
})

async function scrape(): Promise<{ worker: string; text: string }> {
  const response = await fetch(url)
  return { worker: response.headers.get('x-worker')!, text: await response.text() }
}

it('whichever of them is asked', async () => {
  const answers = new Map<string, string>()
  for (let n = 0; n < 50 && answers.size < 2; n++) {
    const { worker, text } = await scrape()
    answers.set(worker, text)
  }
  expect([...answers.keys()].toSorted()).toEqual(['1', '2'])
  for (const text of answers.values()) {
    const seen = parseExposition(text)
    expect(seen.get('refusals_total{code=not_found}'), 'counters add up').toBe(110)
    expect(seen.get('queue_depth{type=a}'), 'what both read from the database is told once').toBe(5)
    expect(seen.get('database_connections{pool=app,state=used}'), 'what each has of its own adds up').toBe(3)
    expect(seen.get('order_apply_duration_seconds_count{type=a}')).toBe(2)
    expect(seen.get('order_apply_duration_seconds_bucket{type=a,le=0.05}')).toBe(1)
    expect(seen.get('order_apply_duration_seconds_sum{type=a}')).toBeCloseTo(20.02)
    expect(text).toMatch(/trace_id="aa"[\s\S]*trace_id="bb"/)
    for (const worker of ['1', '2'])
      expect(seen.has(`nodejs_heap_size_used_bytes{worker=${worker}}`), `Node's own, of worker ${worker}`).toBe(true)
  }
})

it('one that hangs is left out, and does not keep the scraper waiting', async () => {
  fetch(`${url}/hang`).catch(() => {})
  let text = ''
  for (let n = 0; n < 10 && !/code="not_found"\} (10|100)$/m.test(text); n++)
    text = await fetch(url, { signal: AbortSignal.timeout(6000) }).then(
      (response) => response.text(),
      () => '',
    )
  expect([10, 100]).toContain(parseExposition(text).get('refusals_total{code=not_found}'))
})

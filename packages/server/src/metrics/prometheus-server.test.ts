/** A real Prometheus scrapes a real server, with the shipped rules: what it stores is what happened. */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { echoType } from '../../testing/echo-type.ts'
import { findProgram, freePort, isInstalled } from '../../testing/peers/redis-server.ts'
import { startTestServer, type TestServer, until } from '../../testing/test-server.ts'

const traceId = '4bf92f3577b34da6a3ce929d0e0e4736'
const rules = fileURLToPath(new URL('../../../../deploy/prometheus/alerts.yml', import.meta.url))

describe.skipIf(!(await isInstalled('prometheus')))('a real Prometheus', () => {
  let server: TestServer
  let child: ChildProcess
  let directory: string
  let api: string

  beforeAll(async () => {
    server = await startTestServer({ types: [echoType], background: false })
    directory = await mkdtemp(path.join(tmpdir(), 'work-manager-prometheus-'))
    const file = path.join(directory, 'prometheus.yml')
    const config = {
      global: { scrape_interval: '1s', evaluation_interval: '1s' },
      rule_files: [rules],
      scrape_configs: [{ job_name: 'work-manager', static_configs: [{ targets: [new URL(server.url).host] }] }],
    }
    // JSON is YAML.
    await writeFile(file, JSON.stringify(config))
    const port = await freePort()
    api = `http://127.0.0.1:${port}/api/v1`
    child = spawn(
      (await findProgram('prometheus'))!,
      [
        `--config.file=${file}`,
        `--storage.tsdb.path=${path.join(directory, 'data')}`,
        `--web.listen-address=127.0.0.1:${port}`,
        '--enable-feature=exemplar-storage',
        '--log.level=error',
      ],
      { stdio: ['ignore', 'inherit', 'inherit'] },
    )
  })
  afterAll(async () => {
    const gone = once(child, 'exit')
    child.kill('SIGKILL')
    await gone
    await server.stop()
    await rm(directory, { recursive: true, force: true })
  })

  const ask = async (question: string): Promise<any> => {
    const response = await fetch(`${api}/${question}`).catch(() => null)
    return response?.ok ? ((await response.json()) as { data: unknown }).data : null
  }
  const value = async (query: string): Promise<number> =>
    Number((await ask(`query?query=${encodeURIComponent(query)}`))?.result[0]?.value[1])

  it('takes everything that is exposed, by its OpenMetrics parser', async () => {
    const service = await server.caller('service', 'crm')
    for (let n = 0; n < 3; n++)
      await service.post(
        '/propose',
        { type: 'test.echo', payload: { messages: ['a', 'b'] } },
        { headers: { traceparent: `00-${traceId}-00f067aa0ba902b7-01` } },
      )
    await server.run('sequencer')
    await until(async () => (await value('work_manager_orders_created_total{type="test.echo"}')) === 3, 'three orders are stored')
    const { activeTargets } = await ask('targets')
    expect(activeTargets).toMatchObject([{ health: 'up', lastError: '' }])
    expect(await value('work_manager_queue_depth{type="test.echo"}')).toBe(6)
    expect(await value('work_manager_orders_apply_failed_total{type="test.echo",reason="apply_failed"}')).toBe(0)
    const exemplars = await ask(
      `query_exemplars?query=work_manager_request_duration_seconds_bucket&start=${Date.now() / 1000 - 600}&end=${Date.now() / 1000 + 60}`,
    )
    expect(JSON.stringify(exemplars)).toContain(traceId)
  })

  it('evaluates the shipped rules without an error', async () => {
    const groups = await until(async () => {
      const { groups: found } = (await ask('rules')) ?? { groups: [] }
      const all = found.flatMap((group: any) => group.rules)
      return all.length > 0 && all.every((rule: any) => rule.health !== 'unknown') && found
    }, 'every rule was evaluated')
    const failing = groups.flatMap((group: any) => group.rules).filter((rule: any) => rule.health !== 'ok')
    expect(failing).toEqual([])
    expect(groups.map((group: any) => group.name).toSorted()).toEqual(['work-manager', 'work-manager-slo-burn', 'work-manager-slo-ratios'])
  })
})

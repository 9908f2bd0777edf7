/** The catalogue, the product, the documents and the dashboards tell one story. */
import { execFile } from 'node:child_process'
import { readdir, readFile } from 'node:fs/promises'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { labelMeanings, metricCatalogue, type MetricDefinition, metricsNamespace } from '@work-manager/contract'
import { describe, expect, it } from 'vitest'
import { findProgram, isInstalled } from '../../testing/peers/redis-server.ts'
import { operations } from '../systems.ts'

const root = fileURLToPath(new URL('../../../..', import.meta.url))
const catalogue: Readonly<Record<string, MetricDefinition>> = metricCatalogue
const filesIn = async (folder: string) =>
  (await readdir(path.join(root, folder), { recursive: true })).map((file) => path.posix.join(folder, file))
const source = await filesIn('packages/server/src')
const documents = ['README.md', ...(await filesIn('docs')), ...(await filesIn('deploy'))].filter((file) => /\.(md|json|ya?ml)$/.test(file))
const read = (file: string) => readFile(path.join(root, file), 'utf8')
const all = (await Promise.all(source.filter((file) => file.endsWith('.ts') && !/\.test\.ts$|\/fixtures\//.test(file)).map(read))).join(
  '\n',
)
/** Names with the namespace, without what a histogram or a rule of ours makes of them. */
const namesIn = (text: string): string[] =>
  [...text.matchAll(/\bwork_manager[_.]([a-z_]+)/g)]
    .map(([, name]) => name!.replace(/(?<=_seconds)_(bucket|sum|count)$/, ''))
    .filter((name) => !/^(nodejs|process)_/.test(name))

describe('every metric', () => {
  it.each(Object.entries(catalogue))('%s', (name, { kind, help, labels, buckets }) => {
    expect(help).toMatch(/^[A-Z0-9].*\.$/)
    expect(name).toMatch(/^[a-z][a-z_]*$/)
    expect(name.endsWith('_total'), 'counters, and only they, end in _total').toBe(kind === 'counter')
    expect(buckets !== undefined).toBe(kind === 'histogram')
    if (buckets) expect(buckets).toEqual([...buckets].toSorted((a, b) => a - b))
    for (const label of labels) expect(Object.keys(labelMeanings)).toContain(label)
    // As a literal where it is written, or in the table of the record.
    expect(all.includes(`'${name}'`), 'written by the product').toBe(true)
  })

  it('no label tells agents, orders, tenants, users or texts apart', () => {
    for (const label of Object.keys(labelMeanings))
      expect(label).not.toMatch(/agent|order|item|tenant|user|principal|message|path|url|exception/)
    const used = Object.values(catalogue).flatMap(({ labels }) => labels)
    expect(Object.keys(labelMeanings).toSorted()).toEqual([...new Set(used)].toSorted())
  })
})

describe('documents, dashboard and rules', () => {
  it.each(documents)('%s names only metrics that exist', async (file) => {
    const unknown = namesIn(await read(file)).filter((name) => !(name in catalogue) && name !== '' && name !== 'slo')
    // Databases and packages are called work_manager, too.
    expect(unknown.filter((name) => /_(total|seconds|up|depth|active|lag|events)$/.test(name) || file.startsWith('deploy/'))).toEqual([])
  })

  it('the dashboard shows every metric', async () => {
    const shown = new Set(namesIn(await read('deploy/grafana/work-manager.json')))
    const missing = Object.keys(catalogue).filter((name) => !shown.has(name))
    expect(missing).toEqual([])
  })

  it('the dashboard is whole: panels with titles, units, queries and room of their own, and a variable for the type', async () => {
    const dashboard = JSON.parse(await read('deploy/grafana/work-manager.json'))
    expect(dashboard).toMatchObject({ uid: 'work-manager', title: 'Work Manager', schemaVersion: expect.any(Number) })
    expect(dashboard.templating.list.map((variable: { name: string }) => variable.name)).toEqual(['datasource', 'type'])
    const ids = dashboard.panels.map((panel: { id: number }) => panel.id)
    expect(new Set(ids).size).toBe(ids.length)
    const taken = new Set<string>()
    for (const panel of dashboard.panels) {
      const { x, y, w, h } = panel.gridPos
      expect(x + w, panel.title).toBeLessThanOrEqual(24)
      for (let column = x; column < x + w; column++)
        for (let line = y; line < y + h; line++) {
          expect(taken.has(`${column},${line}`), `${panel.title} covers another panel`).toBe(false)
          taken.add(`${column},${line}`)
        }
      if (panel.type === 'row') continue
      expect(panel.description, panel.title).toMatch(/\.$/)
      expect(panel.fieldConfig.defaults.unit, panel.title).toBeTruthy()
      for (const { expr, datasource } of panel.targets) {
        expect(datasource.uid).toBe('${datasource}')
        expect(expr, panel.title).toContain(metricsNamespace)
      }
    }
  })

  it('rules and dashboard name operations and buckets that exist', async () => {
    const names = new Set(operations.map(({ name }) => name))
    const text = (await read('deploy/prometheus/alerts.yml')) + (await read('deploy/grafana/work-manager.json')).replaceAll('\\"', '"')
    const operationsNamed = [...text.matchAll(/operation=~"([^"]+)"/g)].flatMap(([, list]) => list!.split('|'))
    expect(operationsNamed.length).toBeGreaterThan(4)
    expect(operationsNamed.filter((name) => !names.has(name))).toEqual([])
    const bounds = new Set(catalogue['request_duration_seconds']!.buckets!.map(String))
    for (const [, bound] of text.matchAll(/le="([\d.]+)"/g)) expect(bounds.has(bound!), bound).toBe(true)
  })
})

describe.skipIf(!(await isInstalled('promtool')))('promtool', () => {
  const promtool = async (...args: string[]) =>
    promisify(execFile)((await findProgram('promtool'))!, args, { cwd: path.join(root, 'deploy/prometheus') }).then(
      ({ stdout }) => stdout,
      (error: { stdout: string; stderr: string }) => error.stdout + error.stderr,
    )

  it('accepts the alert rules', async () => {
    expect(await promtool('check', 'rules', 'alerts.yml')).toContain('SUCCESS')
  })
  it('the alert rules alert when they should and only then', async () => {
    expect(await promtool('test', 'rules', 'alerts.test.yml')).toContain('SUCCESS')
  })
})

/** docs/metrics.md: the guide beside this file, and every metric from the metrics of packages/contract/src. */
import { readFile } from 'node:fs/promises'
import { failureReasons, labelMeanings, metricCatalogue, type MetricDefinition, metricsNamespace } from '@work-manager/contract'

const code = (text: string) => `\`${text}\``

export async function renderMetrics(): Promise<string> {
  const guide = await readFile(new URL('./metrics-guide.md', import.meta.url), 'utf8')
  const rows = Object.entries(metricCatalogue as Record<string, MetricDefinition>).map(
    ([name, { kind, help, labels }]) =>
      `| ${code(`${metricsNamespace}_${name}`)} | ${kind} | ${labels.map(code).join(', ') || '–'} | ${help} |`,
  )
  const lines = [
    'Generated from the metrics of `packages/contract/src/`; edit those (or `scripts/generate/metrics-guide.md`), then run `npm run generate`.',
    '',
    '| Metric | Kind | Labels | Meaning |',
    '|---|---|---|---|',
    ...rows,
    '',
    'Labels are closed sets; no metric has the id of an agent, order, tenant or user.',
    '',
    '| Label | What stands there |',
    '|---|---|',
    ...Object.entries(labelMeanings).map(([label, meaning]) => `| ${code(label)} | ${meaning} |`),
    '',
    ...Object.entries(failureReasons).map(([name, reasons]) => `Reasons of ${code(name)}: ${reasons.map(code).join(', ')}.`),
    '',
    'Outcomes of `request_duration_seconds`: `ok`; `waited` (the caller asked to wait); `refused` (4xx, the caller can do something about it); `unavailable` (503, worth',
    'repeating); `failed` (a fault of the server).',
  ]
  return `${guide}\n${lines.join('\n')}\n`
}

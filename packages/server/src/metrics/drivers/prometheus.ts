/** The default driver: values stay in memory until somebody scrapes them. Node's own metrics come from prom-client. */
import { metricsNamespace } from '@work-manager/contract'
import { collectDefaultMetrics, Registry } from 'prom-client'
import { openMetricsType, type ForeignMetric, renderExposition, textType, wantsOpenMetrics } from '../exposition.ts'
import type { DriverFactory } from '../metrics.ts'
import { gatherFromSiblings, type ProcessMetrics } from '../across-workers.ts'
import { newReading, observeInto, SeriesMap } from '../series.ts'

/** One registry for the process: prom-client's observers of garbage collection cannot be taken away again. */
let node: Registry | undefined
function nodeRegistry(): Registry {
  if (!node) {
    node = new Registry()
    collectDefaultMetrics({ register: node, prefix: `${metricsNamespace}_` })
  }
  return node
}

export const prometheus: DriverFactory = ({ refresh }) => {
  const all = new SeriesMap(newReading)
  const registry = nodeRegistry()
  const siblings = gatherFromSiblings(async (): Promise<ProcessMetrics> => {
    await refresh()
    return { series: [...all], node: (await registry.getMetricsAsJSON()) as unknown as ForeignMetric[] }
  })
  return {
    increment: (name, labels, by = 1) => void (all.at(name, labels).value += by),
    set: (name, labels, value) => void (all.at(name, labels).value = value),
    observe: (name, labels, value, traceId) => observeInto(all.at(name, labels), name, value, traceId),
    async expose(accept) {
      const open = wantsOpenMetrics(accept)
      const { series, node: foreign } = await siblings.gather()
      return { contentType: open ? openMetricsType : textType, body: renderExposition(series, foreign, open) }
    },
    async flush() {},
    async close() {
      siblings.close()
    },
  }
}

/** The metrics driver: where counts, gauges and durations go. Drivers never throw and never wait: a lost sample must not cost a request. */
import type { CounterName, GaugeName, HistogramName, LabelsOf } from '@work-manager/contract'

export interface Metrics {
  increment<N extends CounterName>(name: N, labels: LabelsOf<N>, by?: number): void
  set<N extends GaugeName>(name: N, labels: LabelsOf<N>, value: number): void
  observe<N extends HistogramName>(name: N, labels: LabelsOf<N>, value: number): void
}

export const nullMetrics: Metrics = { increment() {}, set() {}, observe() {} }

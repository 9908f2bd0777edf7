/**
 * StatsD over UDP, with the tags of DogStatsD. Samples are gathered and sent once per interval in datagrams that fit an Ethernet frame:
 * a sample costs no system call, and a receiver that is away costs nothing either. Counters go as what was added since the last sending.
 */
import { createSocket, type Socket } from 'node:dgram'
import { metricsNamespace, type MetricName } from '@work-manager/contract'
import type { DriverFactory } from '../metrics.ts'
import { definitionOf, SeriesMap } from '../series.ts'
import { pushEvery, receiverState } from './push.ts'

/** An Ethernet frame without the headers of IPv6, UDP and a tunnel. */
const largestDatagram = 1432
/** Durations kept per series and interval; of more, this many are sent with the rate that they stand for. */
const mostSamples = 256
/** More than this still unsent: this interval's datagrams are given up. */
const mostQueuedBytes = 1024 * 1024

interface Gathered {
  value: number
  seen: number
  readonly samples: number[]
}
const newGathered = (): Gathered => ({ value: 0, seen: 0, samples: [] })
/** What separates the parts of a line may not stand in a tag. */
const tagText = (text: string): string => text.replaceAll(/[|,:#@\s]/g, '_')

function linesOf(name: MetricName, labels: ReadonlyArray<readonly [string, string]>, gathered: Gathered): string[] {
  const tags = labels.length === 0 ? '' : `|#${labels.map(([label, value]) => `${label}:${tagText(value)}`).join(',')}`
  const metric = `${metricsNamespace}.${name}`
  const { kind } = definitionOf(name)
  if (kind === 'gauge') return Number.isFinite(gathered.value) ? [`${metric}:${gathered.value}|g${tags}`] : []
  if (kind === 'counter') return gathered.value === 0 ? [] : [`${metric}:${gathered.value}|c${tags}`]
  const { samples, seen } = gathered
  const rate = seen > samples.length ? `|@${(samples.length / seen).toPrecision(4)}` : ''
  return samples.map((value) => `${metric}:${Number(value.toPrecision(6))}|h${rate}${tags}`)
}

/** As many lines per datagram as fit; a single line longer than that goes alone. */
export function packLines(lines: Iterable<string>): string[] {
  const datagrams: string[] = []
  let open = ''
  for (const line of lines) {
    if (open !== '' && Buffer.byteLength(open) + 1 + Buffer.byteLength(line) > largestDatagram) {
      datagrams.push(open)
      open = ''
    }
    open = open === '' ? line : `${open}\n${line}`
  }
  return open === '' ? datagrams : [...datagrams, open]
}

function openSocket(host: string, port: number, note: (error: Error | null) => void) {
  let socket: Socket | null = null
  let ready = false
  const drop = (error: Error) => {
    note(error)
    const old = socket
    socket = null
    ready = false
    old?.close()
  }
  /** Connected once, so that names are not looked up per datagram; after an error again at the next sending. */
  const connect = () =>
    new Promise<void>((resolve) => {
      const made = createSocket({ type: host.includes(':') ? 'udp6' : 'udp4' })
      socket = made
      made.unref()
      made.on('error', (error) => {
        if (socket === made) drop(error)
        resolve()
      })
      made.connect(port, host, () => {
        ready = socket === made
        resolve()
      })
    })
  return {
    async send(datagrams: readonly string[]) {
      if (!socket) await connect()
      if (!socket || !ready || socket.getSendQueueSize() > mostQueuedBytes) return
      const to = socket
      const results = await Promise.all(
        datagrams.map((text) => new Promise<Error | null>((resolve) => to.send(text, (error) => resolve(error ?? null)))),
      )
      const error = results.find((one) => one !== null)
      if (error && socket === to) drop(error)
      else if (!error && datagrams.length > 0) note(null)
    },
    close() {
      socket?.close()
      socket = null
    },
  }
}

export const statsd: DriverFactory = ({ log, intervalMs, statsd: { host, port }, refresh }) => {
  let counted = new SeriesMap(newGathered)
  const levels = new SeriesMap(newGathered)
  const socket = openSocket(host, port, receiverState(log, 'statsd', `${host}:${port}`))
  const pushing = pushEvery(
    intervalMs,
    async () => {
      await refresh()
      const taken = counted
      counted = new SeriesMap(newGathered)
      await socket.send(packLines([...taken, ...levels].flatMap(({ name, labels, value }) => linesOf(name, labels, value))))
    },
    log,
  )
  return {
    increment: (name, labels, by = 1) => void (counted.at(name, labels).value += by),
    set: (name, labels, value) => void (levels.at(name, labels).value = value),
    observe(name, labels, value) {
      const gathered = counted.at(name, labels)
      gathered.seen++
      if (gathered.samples.length < mostSamples) gathered.samples.push(value)
      // Every sample of the interval has the same chance to be kept.
      else {
        const place = Math.floor(Math.random() * gathered.seen)
        if (place < mostSamples) gathered.samples[place] = value
      }
    },
    flush: pushing.flush,
    async close() {
      await pushing.close()
      socket.close()
    },
  }
}

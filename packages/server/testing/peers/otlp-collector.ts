/** An OpenTelemetry collector that keeps what it is sent (OTLP over HTTP, JSON) for a test to look at. */
import { once } from 'node:events'
import http from 'node:http'
import type { AddressInfo } from 'node:net'

export interface SeenSpan {
  readonly name: string
  readonly traceId: string
  readonly spanId: string
  readonly parentSpanId: string
  readonly attributes: Readonly<Record<string, unknown>>
  /** Span ids. */
  readonly links: readonly string[]
  readonly linkedTraces: readonly string[]
  readonly tracestate: string
  readonly failed: boolean
  readonly resource: Readonly<Record<string, unknown>>
}

export interface OtlpCollector {
  readonly url: string
  readonly spans: SeenSpan[]
  /** The texts of all requests: for what must not be in them. */
  readonly bodies: string[]
  readonly headers: http.IncomingHttpHeaders[]
  /** Answers from now on with this status; 200 takes spans again. */
  answerWith(status: number): void
  stop(): Promise<void>
}

interface KeyValue {
  readonly key: string
  readonly value: Readonly<Record<string, unknown>>
}
interface SentSpan {
  readonly name: string
  readonly traceId: string
  readonly spanId: string
  readonly parentSpanId?: string
  readonly traceState?: string
  readonly attributes: KeyValue[]
  readonly links?: Array<{ traceId: string; spanId: string }>
  readonly status?: { code?: number }
}
interface Sent {
  readonly resourceSpans: Array<{ resource: { attributes: KeyValue[] }; scopeSpans: Array<{ spans: SentSpan[] }> }>
}

const plain = (list: readonly KeyValue[]): Record<string, unknown> =>
  Object.fromEntries(list.map(({ key, value }) => [key, Object.values(value)[0]]))

export async function startOtlpCollector(): Promise<OtlpCollector> {
  const spans: SeenSpan[] = []
  const bodies: string[] = []
  const headers: http.IncomingHttpHeaders[] = []
  let status = 200
  const take = async (request: http.IncomingMessage, response: http.ServerResponse): Promise<void> => {
    const chunks: Buffer[] = []
    for await (const chunk of request) chunks.push(chunk as Buffer)
    const text = Buffer.concat(chunks).toString('utf8')
    if (status === 200 && request.url === '/v1/traces') {
      bodies.push(text)
      headers.push(request.headers)
      for (const { resource, scopeSpans } of (JSON.parse(text) as Sent).resourceSpans)
        for (const span of scopeSpans.flatMap((scope) => scope.spans)) spans.push(seen(span, plain(resource.attributes)))
    }
    response.writeHead(status, { 'content-type': 'application/json' }).end('{}')
  }
  const server = http.createServer((request, response) => void take(request, response))
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    spans,
    bodies,
    headers,
    answerWith: (wanted) => void (status = wanted),
    async stop() {
      server.closeAllConnections()
      server.close()
      await once(server, 'close')
    },
  }
}

const seen = (span: SentSpan, resource: Record<string, unknown>): SeenSpan => ({
  name: span.name,
  traceId: span.traceId,
  spanId: span.spanId,
  parentSpanId: span.parentSpanId ?? '',
  attributes: plain(span.attributes),
  links: (span.links ?? []).map((link) => link.spanId),
  linkedTraces: (span.links ?? []).map((link) => link.traceId),
  tracestate: span.traceState ?? '',
  failed: span.status?.code === 2,
  resource,
})

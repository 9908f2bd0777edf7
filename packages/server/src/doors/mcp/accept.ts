/**
 * What a client says it reads. The protocol asks for both media types by name, and the SDK refuses whoever names fewer; most programs send
 * a range, or the one type they know. They get the same message in the frame that they can read.
 */
import type { IncomingHttpHeaders } from 'node:http'
import { WorkError } from '@work-manager/contract'

const json = 'application/json'
const events = 'text/event-stream'
/** as_spoken: whichever frame the protocol chooses. */
export type Frame = 'as_spoken' | 'json' | 'events'

/** The frame that a client can read. Refuses with: not_acceptable, where neither is. */
export function frameFor({ accept }: IncomingHttpHeaders): Frame {
  if (accept === undefined || accept.trim() === '') return 'json'
  const named = accept.split(',').flatMap((one) => {
    const [type = '', ...parameters] = one.split(';').map((part) => part.trim().toLowerCase())
    // q=0 says "not this one".
    return parameters.some((parameter) => /^q\s*=\s*0(\.0*)?$/.test(parameter)) ? [] : [type]
  })
  const takes = (...ranges: string[]): boolean => ranges.some((range) => named.includes(range))
  if (takes(events) && takes(json, 'application/*', '*/*')) return 'as_spoken'
  if (takes(json, 'application/*', '*/*')) return 'json'
  if (takes(events, 'text/*')) return 'events'
  throw new WorkError('not_acceptable', {
    detail: `The client accepts only ${accept.slice(0, 100)}; this endpoint answers in ${json} or ${events}.`,
  })
}

interface McpHandler {
  fetch(request: Request, extra?: object): Promise<Response>
}

/** The handler for clients that name one media type, a range, or none. */
export function forAnyAccept(handler: McpHandler): McpHandler {
  return {
    async fetch(request, extra) {
      if (request.method !== 'POST') return handler.fetch(request, extra)
      // A subscription is a stream or nothing.
      const listens = request.headers.get('mcp-method') === 'subscriptions/listen'
      const frame = listens ? 'as_spoken' : frameFor({ accept: request.headers.get('accept') ?? undefined })
      request.headers.set('accept', `${json}, ${events}`)
      return reframed(await handler.fetch(request, extra), frame)
    },
  }
}

/** The same message in another frame; what has no message in it (202, a refusal of the transport) stays as it is. */
async function reframed(response: Response, frame: Frame): Promise<Response> {
  const type = response.headers.get('content-type') ?? ''
  if (frame === 'json' && type.startsWith(events)) {
    const stream = await response.text()
    const answer = answerIn(stream)
    return answer === undefined ? withBody(response, stream, events) : withBody(response, answer, json)
  }
  if (frame === 'events' && type.startsWith(json) && response.ok)
    return withBody(response, `event: message\ndata: ${await response.text()}\n\n`, events)
  return response
}

function withBody(response: Response, body: string, type: string): Response {
  const headers = new Headers(response.headers)
  headers.set('content-type', type)
  headers.delete('content-length')
  return new Response(body, { status: response.status, headers })
}

/** The message that ends a stream: progress that was told before it has no place in one JSON body. */
function answerIn(stream: string): string | undefined {
  return stream
    .split(/\r?\n\r?\n/)
    .map((event) =>
      event
        .split(/\r?\n/)
        .flatMap((line) => (line.startsWith('data:') ? [line.slice(5).trimStart()] : []))
        .join('\n'),
    )
    .findLast((data) => data.startsWith('{'))
}

/** The JSON-RPC messages in an HTTP answer of an MCP server: one JSON body, or a stream of server-sent events. */

type Message = Record<string, unknown>

/** Yields each message; a refusal that HTTP gave becomes an error with the request's id, the problem object as its data. */
export async function* answerMessages(response: Response, id: string | number | null): AsyncGenerator<Message> {
  const type = response.headers.get('content-type') ?? ''
  if (type.startsWith('text/event-stream') && response.body !== null) {
    yield* eventMessages(response.body)
    return
  }
  const text = await response.text()
  if (text === '' && response.ok) return
  const body = parsed(text)
  if (body !== undefined && body['jsonrpc'] === '2.0') {
    yield id !== null && body['id'] === null ? { ...body, id } : body
    return
  }
  const said =
    body === undefined ? `HTTP ${response.status}` : [body['detail'], body['fix']].filter((part) => typeof part === 'string').join(' ')
  yield {
    jsonrpc: '2.0',
    id,
    error: { code: -32_000, message: said === '' ? `HTTP ${response.status}` : said, ...(body === undefined ? {} : { data: body }) },
  }
}

async function* eventMessages(stream: ReadableStream<Uint8Array>): AsyncGenerator<Message> {
  const decoder = new TextDecoder()
  let pending = ''
  let data: string[] = []
  for await (const chunk of stream) {
    pending += decoder.decode(chunk, { stream: true })
    const lines = pending.split(/\r\n|\n|\r(?!$)/)
    pending = lines.pop() ?? ''
    for (const line of lines) {
      if (line.startsWith('data:')) data.push(line.slice(5).replace(/^ /, ''))
      else if (line === '' && data.length > 0) {
        const message = parsed(data.join('\n'))
        data = []
        if (message !== undefined) yield message
      }
    }
  }
}

function parsed(text: string): Message | undefined {
  try {
    const value = JSON.parse(text) as unknown
    return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Message) : undefined
  } catch {
    return undefined
  }
}

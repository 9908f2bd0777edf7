/**
 * MCP over stdio: every line from the client goes to the server's /mcp, every answer comes back as a line. One implementation serves
 * both transports, so the bridge knows only framing: nothing but frames ever appears on stdout.
 */
import { randomUUID } from 'node:crypto'
import { createInterface } from 'node:readline'
import type { Readable } from 'node:stream'
import { answerMessages } from './answer-messages.ts'

export interface BridgeOptions {
  readonly endpoint: string
  readonly key: string
  readonly input: Readable
  /** Fails when nobody takes the frame any more. */
  readonly write: (frame: string) => Promise<void>
  /** One line for people, on stderr. */
  readonly note: (text: string) => void
  readonly signal: AbortSignal
}

interface Message {
  readonly id?: string | number
  readonly method?: string
  readonly params?: {
    readonly _meta?: Record<string, unknown>
    readonly name?: unknown
    readonly arguments?: { readonly wait?: unknown }
    readonly uri?: unknown
    readonly requestId?: unknown
    readonly taskId?: unknown
  }
}

const versionKey = 'io.modelcontextprotocol/protocolVersion'
const bridgeFailed = -32_000
/** Tells this client from others with the same key, so that what it gives up is known from what they do. */
const clientHeader = 'mcp-session-id'
/** After the client closed its end, requests that run may still answer for this long. */
const lastWordsMs = 2_000

/** Runs until the client closes its end. */
export async function runBridge(options: BridgeOptions): Promise<void> {
  const lines = createInterface({ input: options.input, crlfDelay: Number.POSITIVE_INFINITY, signal: options.signal })
  const bridge = new Bridge(options, () => lines.close())
  for await (const line of lines) bridge.take(line)
  await bridge.end()
}

class Bridge {
  private readonly options: BridgeOptions
  private readonly running = new Map<string | number, { readonly controller: AbortController; readonly waits: boolean }>()
  private readonly client = randomUUID()
  private readonly settled = new Set<Promise<void>>()
  /** Of a client of 2025, which names it once; one of 2026 names it in every message. */
  private agreedVersion: string | undefined
  private spokenTo = false

  private readonly onDeaf: () => void

  /** `onDeaf`: nobody takes what is written, so nobody asks either. */
  constructor(options: BridgeOptions, onDeaf: () => void) {
    this.options = options
    this.onDeaf = onDeaf
  }

  take(line: string): void {
    const text = line.trim()
    if (text === '') return
    let message: Message
    try {
      message = JSON.parse(text) as Message
    } catch {
      this.refuseText(text)
      return
    }
    if (typeof message !== 'object' || message === null || Array.isArray(message)) {
      this.refuse(null, -32_600, 'Send one JSON-RPC message per line.')
      return
    }
    if (message.method === 'notifications/cancelled') {
      // Closing the request is how HTTP says it; the message itself still counts when the answer has left meanwhile.
      this.running.get(message.params?.requestId as string | number)?.controller.abort()
    }
    this.begin(this.send(message, text))
  }

  private begin(work: Promise<void>): void {
    const tracked = work.finally(() => this.settled.delete(tracked))
    this.settled.add(tracked)
  }

  /** Ends what waits for something to come, which would be for nobody; waits a moment for the rest. */
  async end(): Promise<void> {
    for (const { controller, waits } of this.running.values()) if (waits) controller.abort()
    const patience = Promise.withResolvers<void>()
    const timer = setTimeout(patience.resolve, lastWordsMs)
    await Promise.race([Promise.allSettled(this.settled), patience.promise])
    clearTimeout(timer)
    for (const { controller } of this.running.values()) controller.abort()
  }

  private async send(message: Message, text: string): Promise<void> {
    const { endpoint, key, write, note, signal } = this.options
    const controller = new AbortController()
    const { id } = message
    const isRequest = id !== undefined && message.method !== undefined
    const waits = message.method === 'tools/call' && Number(message.params?.arguments?.wait) > 0
    if (isRequest) this.running.set(id, { controller, waits })
    let answered = false
    try {
      const response = await fetch(endpoint, {
        method: 'POST',
        headers: {
          authorization: `Bearer ${key}`,
          'content-type': 'application/json',
          accept: 'application/json, text/event-stream',
          [clientHeader]: this.client,
          ...this.protocolHeaders(message),
        },
        body: text,
        redirect: 'error',
        signal: AbortSignal.any([signal, controller.signal]),
      })
      for await (const answer of answerMessages(response, isRequest ? id : null)) {
        if (message.method === 'initialize')
          this.agreedVersion ??= (answer as { result?: { protocolVersion?: string } }).result?.protocolVersion
        if ('id' in answer && answer['id'] === id) answered = true
        // What is said about a message that asked for no answer has nowhere to go.
        if (isRequest) await write(JSON.stringify(answer)).catch(() => this.giveUp(id))
        else if ('error' in answer) note(`work-manager mcp: ${JSON.stringify(answer['error'])}`)
      }
      if (isRequest && !answered)
        this.refuse(
          id,
          bridgeFailed,
          'The server ended its answer before it was complete. Send the request again; with the same idempotency_key nothing is done twice.',
        )
    } catch (error) {
      if (controller.signal.aborted || signal.aborted || answered) return
      const why = error instanceof Error ? (error.cause instanceof Error ? error.cause.message : error.message) : String(error)
      note(`work-manager mcp: the server at ${endpoint} does not answer (${why}).`)
      if (isRequest)
        this.refuse(
          id,
          bridgeFailed,
          `The Work Manager server at ${endpoint} does not answer (${why}). Start it (work-manager serve), or correct WORK_MANAGER_URL; then send the same request again.`,
        )
    } finally {
      if (isRequest) this.running.delete(id)
    }
  }

  /** Nobody takes the answer: what was done for it is taken back. */
  private giveUp(id: string | number): void {
    const message = { jsonrpc: '2.0', method: 'notifications/cancelled', params: { requestId: id, reason: 'nobody reads the answer' } }
    this.begin(this.send(message, JSON.stringify(message)))
    this.onDeaf()
  }

  /** The headers that HTTP wants beside the body; a client that speaks stdio does not send them. */
  private protocolHeaders({ method, params }: Message): Record<string, string> {
    const version = params?._meta?.[versionKey]
    if (typeof version !== 'string') return this.agreedVersion === undefined ? {} : { 'mcp-protocol-version': this.agreedVersion }
    const name = method?.startsWith('tasks/') ? params?.taskId : method === 'resources/read' ? params?.uri : params?.name
    return {
      'mcp-protocol-version': version,
      ...(method === undefined ? {} : { 'mcp-method': method }),
      ...(typeof name === 'string' && /^(tools\/call|prompts\/get|resources\/read|tasks\/\w+)$/.test(method ?? '')
        ? { 'mcp-name': headerText(name) }
        : {}),
    }
  }

  private refuseText(text: string): void {
    if (/^[[{"]/.test(text)) {
      this.refuse(null, -32_700, 'The line is not valid JSON.')
      return
    }
    if (!this.spokenTo)
      this.options.note(
        'This is an MCP server: a client starts it and talks JSON to it. To connect one, run `work-manager mcp install --client claude-code`.',
      )
    this.spokenTo = true
  }

  private refuse(id: string | number | null, code: number, message: string): void {
    // A refusal that nobody reads changes nothing.
    this.options.write(JSON.stringify({ jsonrpc: '2.0', id, error: { code, message } })).catch(() => {})
  }
}

/** As the protocol encodes what a header cannot carry. */
function headerText(value: string): string {
  const plain = /^[\x21-\x7e]+(?: +[\x21-\x7e]+)*$/.test(value) && !value.startsWith('=?base64?')
  return plain ? value : `=?base64?${Buffer.from(value, 'utf8').toString('base64')}?=`
}

/**
 * One keep-alive HTTP/1.1 connection, one request at a time. Written by hand because the load generator shares the machine with the
 * server: a general client costs as much processor time as the server under test. It reads answers with Content-Length only, which
 * is how this server answers; anything else is an error, not a wrong figure.
 */
import net from 'node:net'

export interface HttpAnswer {
  readonly status: number
  readonly body: string
}

function connect(url: URL): Promise<net.Socket> {
  return new Promise((resolve, reject) => {
    const socket = net.connect(Number(url.port), url.hostname)
    socket.once('error', reject)
    socket.once('connect', () => {
      socket.off('error', reject)
      resolve(socket)
    })
  })
}

const headEnd = Buffer.from('\r\n\r\n')

export class HttpConnection {
  private readonly url: URL
  private readonly authorization: string
  private socket: net.Socket
  private received: Buffer = Buffer.alloc(0)
  private waiting: { resolve(answer: HttpAnswer): void; reject(error: Error): void } | null = null

  private constructor(socket: net.Socket, url: URL, key: string) {
    this.url = url
    this.authorization = `Bearer ${key}`
    this.socket = this.use(socket)
  }

  static async open(url: URL, key: string): Promise<HttpConnection> {
    return new HttpConnection(await connect(url), url, key)
  }

  get(path: string): Promise<HttpAnswer> {
    return this.send(`GET ${path} HTTP/1.1\r\nhost: ${this.url.host}\r\nauthorization: ${this.authorization}\r\n\r\n`)
  }

  post(path: string, body: string, idempotencyKey?: string): Promise<HttpAnswer> {
    const key = idempotencyKey === undefined ? '' : `idempotency-key: ${idempotencyKey}\r\n`
    return this.send(
      `POST ${path} HTTP/1.1\r\nhost: ${this.url.host}\r\nauthorization: ${this.authorization}\r\n${key}content-type: application/json\r\ncontent-length: ${Buffer.byteLength(body)}\r\n\r\n${body}`,
    )
  }

  /** A server closes what rests, and contenders take turns: between two requests the connection may be a new one, as with every client. */
  private async send(request: string): Promise<HttpAnswer> {
    if (this.socket.destroyed) this.socket = this.use(await connect(this.url))
    return new Promise((resolve, reject) => {
      this.waiting = { resolve, reject }
      this.socket.write(request)
    })
  }

  private use(socket: net.Socket): net.Socket {
    this.received = Buffer.alloc(0)
    socket.setNoDelay(true)
    socket.on('data', (chunk) => this.take(chunk))
    socket.on('error', (error) => this.fail(error))
    socket.on('close', () => this.fail(new Error('the server closed the connection')))
    return socket
  }

  close(): void {
    this.waiting = null
    this.socket.destroy()
  }

  private take(chunk: Buffer): void {
    this.received = this.received.length === 0 ? chunk : Buffer.concat([this.received, chunk])
    const end = this.received.indexOf(headEnd)
    if (end === -1) return
    const head = this.received.toString('latin1', 0, end)
    const length = /\r\ncontent-length: *(\d+)/i.exec(head)?.[1]
    if (length === undefined) return this.fail(new Error(`an answer without Content-Length: ${head.slice(0, 200)}`))
    const bodyEnd = end + headEnd.length + Number(length)
    if (this.received.length < bodyEnd) return
    const body = this.received.toString('utf8', end + headEnd.length, bodyEnd)
    this.received = this.received.subarray(bodyEnd)
    const { waiting } = this
    this.waiting = null
    waiting?.resolve({ status: Number(head.slice(9, 12)), body })
  }

  private fail(error: Error): void {
    const { waiting } = this
    this.waiting = null
    waiting?.reject(error)
  }
}

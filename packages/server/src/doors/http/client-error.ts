/** Requests that HTTP itself cannot read (too long, too slow, malformed) never reach a route; they still get a problem object. */
import type { Socket } from 'node:net'
import { WorkError } from '@work-manager/contract'
import { renderRefusal } from './answer.ts'
import { requestIdOf } from './request-id.ts'

/** URL and headers together. */
export const maxHeaderSize = 16 * 1024
const lingerMs = 2_000

const reasons: Record<number, string> = {
  400: 'Bad Request',
  408: 'Request Timeout',
  414: 'URI Too Long',
  431: 'Request Header Fields Too Large',
}

interface UnreadableRequest extends Error {
  readonly code?: string
  /** The bytes that could not be read: a Buffer, whatever the framework's types say. */
  readonly rawPacket?: unknown
}

/** Answers and closes. */
export function answerClientError(error: UnreadableRequest, socket: Socket): void {
  // The rest of a request that was answered already, while the socket lingers below.
  if (socket.writableEnded) return
  if (error.code === 'ECONNRESET' || !socket.writable) {
    socket.destroy()
    return
  }
  const { status, detail, fix } = judge(error)
  const refusal = renderRefusal(new WorkError('bad_request', { detail, fix, extra: { status } }), requestIdOf({ headers: {} }))
  const headers = { ...refusal.headers, connection: 'close', 'content-length': String(Buffer.byteLength(refusal.body)) }
  const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`)
  socket.end(`HTTP/1.1 ${status} ${reasons[status]}\r\n${lines.join('')}\r\n${refusal.body}`)
  // Closing at once, with bytes unread, would reset the connection and throw the answer away before it is read.
  socket.resume()
  socket.setTimeout(lingerMs, () => socket.destroy())
}

function lineIsLong(packet: Buffer): boolean {
  const end = packet.indexOf('\r\n')
  return end === -1 || end > maxHeaderSize / 2
}

function judge(error: UnreadableRequest): { status: number; detail: string; fix: string } {
  if (error.code === 'ERR_HTTP_REQUEST_TIMEOUT')
    return { status: 408, detail: 'The request was not complete in time.', fix: 'Send the whole request without pauses.' }
  if (error.code === 'HPE_HEADER_OVERFLOW') {
    if (Buffer.isBuffer(error.rawPacket) && lineIsLong(error.rawPacket))
      return {
        status: 414,
        detail: 'The request line is too long; URL and headers together may hold 16 KiB.',
        fix: 'Shorten the URL; send large values in the body.',
      }
    return {
      status: 431,
      detail: 'The headers are too large; URL and headers together may hold 16 KiB.',
      fix: 'Send fewer or shorter headers.',
    }
  }
  return {
    status: 400,
    detail: 'The request is not valid HTTP/1.1.',
    fix: 'Check the request line, the header syntax, Content-Length and Transfer-Encoding.',
  }
}

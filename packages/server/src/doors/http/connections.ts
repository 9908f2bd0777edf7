/**
 * What one connection may ask for: one request at a time, and answers that are read. Pipelined requests wait unread behind the one that
 * is being answered; a connection that does not read its answer is closed, since the answer stays in memory for as long as it lives.
 */
import type { ServerResponse } from 'node:http'
import type { Socket } from 'node:net'

/** Requests that may wait behind another on one connection. */
const mostWaiting = 32
/** Without a byte being taken. */
const unreadMs = 10_000
/** Even a reader who takes a little now and then must keep this pace. */
const slowestBytesPerMs = 32
/** Less than this fits into the buffers of the operating system. */
const smallAnswer = 4 * 1024

interface Line {
  answering: boolean
  waiting: Array<() => void>
}

const lines = new WeakMap<Socket, Line>()

/** Calls `go` when it is this request's turn on its connection; never, when the connection ends before. */
export function inTurn(socket: Socket | null, response: ServerResponse, go: () => void): void {
  // Requests that were injected have no connection.
  if (!socket || typeof socket.pause !== 'function') return go()
  let line = lines.get(socket)
  if (!line) {
    const made: Line = { answering: false, waiting: [] }
    lines.set(socket, (line = made))
    socket.once('close', () => (made.waiting = []))
  }
  const { waiting } = line
  if (line.answering) {
    if (waiting.length >= mostWaiting) socket.destroy()
    else waiting.push(() => begin(line, response, go))
    return
  }
  begin(line, response, go)
}

function begin(line: Line, response: ServerResponse, go: () => void): void {
  line.answering = true
  response.once('close', () => {
    line.answering = false
    line.waiting.shift()?.()
  })
  go()
}

/** Closes the connection when an answer of so many bytes is not taken. Call it before the answer is written. */
export function mustBeRead(response: ServerResponse, bytes: number): void {
  if (bytes < smallAnswer) return
  const drop = (): void => void response.socket?.destroy()
  // Begins anew with every byte that is taken.
  response.setTimeout(unreadMs, drop)
  const tooSlow = setTimeout(drop, unreadMs + bytes / slowestBytesPerMs)
  tooSlow.unref()
  response.once('close', () => clearTimeout(tooSlow))
}

/** The same for an answer that is written by somebody else, in pieces, with pauses of its own: only what is written must be taken. */
export function mustBeReadWhenWritten(response: ServerResponse): void {
  const check = (): void => {
    const { socket } = response
    if (!socket || response.writableFinished) return
    if (socket.writableLength > 0 || response.writableLength > 0) socket.destroy()
    else response.setTimeout(unreadMs)
  }
  response.setTimeout(unreadMs, check)
}

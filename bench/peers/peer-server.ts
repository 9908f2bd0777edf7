/**
 * A peer behind the smallest HTTP server there can be: the same three requests as a lease cycle, without keys, checks and records.
 * A process of its own, as our server is.
 */
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { once } from 'node:events'
import { text } from 'node:stream/consumers'
import { openPeer } from './open-peer.ts'
import type { PeerName } from './peer.ts'

const [name, url] = process.argv.slice(2)
const peer = await openPeer(name as PeerName, url!)

async function answer(path: string, body: string): Promise<object | null> {
  if (path === '/claim') return peer.claim()
  if (path === '/send') return { id: await peer.send((JSON.parse(body) as { data: object }).data) }
  const [, , id, verb] = path.split('/')
  if (verb === 'touch') await peer.touch(id!)
  else await peer.complete(id!, (JSON.parse(body) as { result: object }).result)
  return {}
}

const server = createServer((request, response) => {
  const end = (status: number, value: object): void => {
    const body = JSON.stringify(value)
    response.writeHead(status, { 'content-type': 'application/json', 'content-length': Buffer.byteLength(body) })
    response.end(body)
  }
  text(request)
    .then((body) => answer(request.url!, body))
    .then((value) => (value === null ? end(404, { error: 'no job' }) : end(200, value)))
    .catch((error: unknown) => end(500, { error: String(error) }))
})
server.listen(0, '127.0.0.1')
await once(server, 'listening')

const say = (message: object): void => void process.send!(message)
process.on('message', ({ fill }: { fill: number }) => {
  peer.fill(fill).then(
    () => say({ filled: true }),
    (error: unknown) => {
      console.error(error)
      process.exit(1)
    },
  )
})
const stop = () => void peer.close().finally(() => process.exit(0))
process.on('disconnect', stop)
process.on('SIGTERM', stop)
say({ ready: { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}` } })

/** A way to the database that can go silent: it takes what is sent, answers nothing and closes nothing, as a network does that loses its packets. */
import { once } from 'node:events'
import net from 'node:net'
import pg from 'pg'

export interface SilentProxy {
  /** The same database through the proxy. */
  readonly url: string
  /** From now on nothing comes through in either direction, on connections that are open and on new ones. */
  swallow(): void
  /** New connections work again; those that went silent stay so. */
  pass(): void
  /** How many connections it holds whose client has not closed them. */
  open(): number
  stop(): Promise<void>
}

export async function startSilentProxy(target: string): Promise<SilentProxy> {
  const { host, port, user, password, database } = new pg.Client({ connectionString: target })
  const sockets = new Set<net.Socket>()
  const pairs = new Set<{ silent: boolean }>()
  let isSilent = false
  const server = net.createServer({ allowHalfOpen: true }, (client) => {
    const pair = { silent: isSilent }
    pairs.add(pair)
    const upstream = host.startsWith('/') ? net.connect(`${host}/.s.PGSQL.${port}`) : net.connect(port, host)
    for (const [from, to] of [
      [client, upstream],
      [upstream, client],
    ] as const) {
      sockets.add(from)
      from.on('data', (chunk) => pair.silent || to.write(chunk))
      from.on('end', () => {
        if (from === client) pairs.delete(pair)
        if (!pair.silent) to.end()
      })
      from.on('error', () => {})
      from.on('close', () => {
        sockets.delete(from)
        if (from === client) pairs.delete(pair)
        // A client that is gone leaves its session behind only while nothing comes through.
        if (!pair.silent) to.destroy()
      })
    }
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port: own } = server.address() as net.AddressInfo
  const login = `${encodeURIComponent(user ?? '')}${password ? `:${encodeURIComponent(password)}` : ''}`
  return {
    url: `postgres://${login}@127.0.0.1:${own}/${database}`,
    swallow() {
      isSilent = true
      for (const pair of pairs) pair.silent = true
    },
    pass() {
      isSilent = false
    },
    open: () => pairs.size,
    async stop() {
      for (const socket of sockets) socket.destroy()
      server.close()
      await once(server, 'close')
    },
  }
}

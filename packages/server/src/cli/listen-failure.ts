/** Why a port could not be opened, and what to do. */
import net from 'node:net'
import { unusablePort } from '../metrics/metrics-port.ts'
import { CliError } from './cli-error.ts'

/** The failure, explained; anything that is not about the address comes back as it was. */
export async function explainListenFailure(cause: unknown, host: string, port: number): Promise<unknown> {
  const { code, message } = cause as NodeJS.ErrnoException
  if (code === unusablePort)
    return new CliError(
      'configuration',
      unusablePort,
      message,
      'Stop that program, or set metrics.port (WORK_MANAGER_METRICS_PORT) to another; metrics.host must be an address of this machine.',
      { cause },
    )
  if (code === 'EADDRINUSE') {
    const free = await nextFreePort(host, port)
    return new CliError(
      'configuration',
      'port_in_use',
      `Port ${port} on ${host} is taken by another program.`,
      `Stop that program, or use another port: --port ${free} (or WORK_MANAGER_PORT=${free}).`,
      { cause },
    )
  }
  if (code === 'EACCES')
    return new CliError(
      'configuration',
      'port_not_permitted',
      `Port ${port} may only be opened by a privileged user.`,
      'Use a port above 1023, such as --port 7420, and let a proxy listen on the low one.',
      { cause },
    )
  if (code === 'EADDRNOTAVAIL' || code === 'ENOTFOUND')
    return new CliError(
      'configuration',
      'host_not_here',
      `This machine has no address ${host}.`,
      'Set server.host to 127.0.0.1, to one of its addresses, or to 0.0.0.0 for all of them.',
      { cause },
    )
  return cause
}

/** A port that is free now; 0 when the fifty after `taken` are not. */
async function nextFreePort(host: string, taken: number): Promise<number> {
  for (let port = taken + 1; port <= Math.min(taken + 50, 65535); port++) if ((await listenOnce(host, port)) !== null) return port
  return 0
}

/** Any free port of the address, for processes that must all listen on the same one. */
export async function anyFreePort(host: string): Promise<number> {
  return (await listenOnce(host, 0)) ?? 0
}

function listenOnce(host: string, port: number): Promise<number | null> {
  return new Promise((resolve) => {
    const server = net.createServer()
    server.once('error', () => resolve(null))
    server.listen(port, host, () => {
      const { port: taken } = server.address() as net.AddressInfo
      server.close(() => resolve(taken))
    })
  })
}

/**
 * Host and Origin of a request. A page of another site must not reach this endpoint through the browser of somebody who runs a server
 * here, neither directly (Origin) nor by a name that it lets point to this machine (Host). Neither check replaces the key.
 */
import { isIP } from 'node:net'
import type { IncomingHttpHeaders } from 'node:http'
import { WorkError } from '@work-manager/contract'

const loopback = ['localhost', '127.0.0.1', '[::1]']

export interface Neighbourhood {
  /** Host names, in lower case, besides loopback and literal addresses. */
  readonly hosts: ReadonlySet<string>
}

/** What the configuration says the server is called. */
export function neighbourhoodOf(names: readonly (string | undefined)[]): Neighbourhood {
  const hosts = names.flatMap((name) => {
    if (name === undefined || name === '') return []
    const url = /^https?:\/\//.test(name) ? name : `http://${name.includes(':') && !name.startsWith('[') ? `[${name}]` : name}`
    return URL.canParse(url) ? [new URL(url).hostname] : []
  })
  return { hosts: new Set([...loopback, ...hosts]) }
}

/** Refuses with: host_refused, origin_refused. */
export function assertWelcome({ hosts }: Neighbourhood, headers: IncomingHttpHeaders): void {
  const host = hostPattern.test(headers.host ?? '') ? hostnameOf(`http://${headers.host}`) : undefined
  // A name can be made to point here by anybody; an address cannot.
  if (host === undefined || !(hosts.has(host) || isIP(host.replace(/^\[|\]$/g, '')) !== 0))
    throw new WorkError('host_refused', {
      detail: `This server does not answer for the host '${(headers.host ?? '').slice(0, 100)}'.`,
      extra: { accepted: [...hosts] },
    })
  const { origin } = headers
  if (origin === undefined) return
  const from = hostnameOf(origin)
  if (from === undefined || !hosts.has(from))
    throw new WorkError('origin_refused', {
      detail: `A page of ${origin.slice(0, 100)} may not use this endpoint.`,
      extra: { accepted: [...hosts] },
    })
}

/** Name or address, and a port: no user before an @, no path behind. */
const hostPattern = /^(?:[A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\])(?::\d{1,5})?$/

function hostnameOf(url: string): string | undefined {
  return URL.canParse(url) ? new URL(url).hostname || undefined : undefined
}

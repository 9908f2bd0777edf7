/** Who may read /metrics: whoever has the token, and on the main port this machine itself, when nobody asks through it. */
import { createHash, timingSafeEqual } from 'node:crypto'
import type { IncomingHttpHeaders } from 'node:http'
import { isIP } from 'node:net'

export type ScrapeVerdict = 'welcome' | 'token_missing' | 'token_wrong'

const digest = (text: string): Buffer => createHash('sha256').update(text).digest()
const isLoopback = (address: string | undefined): boolean =>
  address !== undefined && (/^(::ffff:)?127\./.test(address) || address === '::1')

/** What a proxy leaves behind: then the peer is the proxy and not the one who asks. */
const signsOfProxy = ['x-forwarded-for', 'x-forwarded-host', 'x-forwarded-proto', 'forwarded', 'x-real-ip', 'via', 'cf-connecting-ip']

/** A page in a browser here can let a name of its own point to this machine; an address or `localhost` it cannot. */
function asksByAddress({ host = '', origin }: IncomingHttpHeaders): boolean {
  if (origin !== undefined || !URL.canParse(`http://${host}`)) return false
  const { hostname } = new URL(`http://${host}`)
  return hostname === 'localhost' || isIP(hostname.replace(/^\[|\]$/g, '')) !== 0
}

function hasToken({ authorization }: IncomingHttpHeaders, token: string | undefined): boolean {
  const [, given] = /^Bearer +(\S+) *$/i.exec(authorization ?? '') ?? []
  return token !== undefined && given !== undefined && timingSafeEqual(digest(given), digest(token))
}

/** `openToAll`: the port of its own, which without a token is guarded by where it listens. */
export function judgeScrape(
  peer: { readonly address: string | undefined; readonly headers: IncomingHttpHeaders },
  access: { readonly token: string | undefined; readonly openToAll: boolean },
): ScrapeVerdict {
  const { headers, address } = peer
  if (hasToken(headers, access.token)) return 'welcome'
  if (headers.authorization !== undefined && access.token !== undefined) return 'token_wrong'
  if (access.openToAll) return access.token === undefined ? 'welcome' : 'token_missing'
  return isLoopback(address) && asksByAddress(headers) && signsOfProxy.every((name) => headers[name] === undefined)
    ? 'welcome'
    : 'token_missing'
}

/**
 * IP addresses in one spelling, wherever they are stored, shown or counted: IPv4 in its own form (also when it came in an IPv6 coat, in
 * dots or in hex), IPv6 as RFC 5952 writes it, without a zone.
 */
import { isIP } from 'node:net'
import ipaddr from 'ipaddr.js'

/** Node says what an address is: ipaddr.js alone would also take `127.1` and octal numbers. */
function parse(text: string): ipaddr.IPv4 | ipaddr.IPv6 | undefined {
  const bare = text.replace(/%.*$/, '')
  const family = isIP(bare)
  if (family === 0) return undefined
  // An IPv6 address that ends in dots is turned into hex first: ipaddr.js reads `::192.0.2.7` as `::ffff:192.0.2.7`, another address.
  return ipaddr.process(family === 6 && bare.includes('.') ? new URL(`http://[${bare}]`).hostname.slice(1, -1) : bare)
}

/** The address in its one spelling; what is no address stays as it came. */
export function plainIp(ip: string): string {
  return parse(ip)?.toString() ?? ip
}

/**
 * Whom a call comes from: what the right-most trusted proxy says (`named`), if that is an address; some write a port behind it. Anything
 * else is nobody's address, so it is the peer's.
 */
export function callerIp(named: string | undefined, peer: string | undefined): string | undefined {
  if (named === undefined || named === peer || isIP(named) !== 0) return named ?? peer
  const bare = /^\[([^\]]+)\](?::\d+)?$/.exec(named)?.[1] ?? /^([\d.]+):\d+$/.exec(named)?.[1]
  return bare !== undefined && isIP(bare) !== 0 ? bare : peer
}

/** IPv4 loses its last octet, IPv6 everything after the first 48 bits. Whatever is neither is dropped. */
export function anonymizedIp(ip: string): string | null {
  const address = parse(ip)
  if (address === undefined) return null
  return address instanceof ipaddr.IPv4 ? new ipaddr.IPv4([...address.octets.slice(0, 3), 0]).toString() : networkOf(address, 3)
}

/**
 * Which bucket of the rate limits an address belongs to: IPv4 as it is, IPv6 by its first 64 bits, because whoever has one of those
 * addresses has 2^64, anything else as one group of its own.
 */
export function addressGroup(address: string | undefined): string {
  const parsed = address === undefined ? undefined : parse(address)
  if (parsed === undefined) return 'unknown'
  return parsed instanceof ipaddr.IPv4 ? parsed.toString() : `${networkOf(parsed, 4)}/64`
}

/** The first words of an address, the others zero. */
function networkOf(address: ipaddr.IPv6, words: number): string {
  return new ipaddr.IPv6(address.parts.map((word, index) => (index < words ? word : 0))).toString()
}

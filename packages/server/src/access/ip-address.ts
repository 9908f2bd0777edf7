/** IP addresses as they are stored: IPv4 in its own form, and, when the operator asks for it, without the part that names a person. */
import { isIP, isIPv6 } from 'node:net'

/** IPv4 that arrives through an IPv6 socket is written as IPv4; a zone is dropped. */
export function plainIp(ip: string): string {
  const bare = ip.replace(/%.*$/, '')
  const mapped = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i.exec(bare)
  return mapped ? mapped[1]! : bare
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
  const plain = plainIp(ip)
  if (/^\d+\.\d+\.\d+\.\d+$/.test(plain)) return plain.replace(/\d+$/, '0')
  if (!isIPv6(plain)) return null
  const [head = '', tail] = plain.split('::')
  const groups = groupsOf(head)
  if (tail !== undefined) {
    const after = groupsOf(tail)
    // A dotted quad at the end stands for two groups.
    const missing = 8 - groups.length - after.length - (tail.includes('.') ? 1 : 0)
    groups.push(...Array.from({ length: missing }, () => '0'), ...after)
  }
  const kept = groups.slice(0, 3).map((group) => Number.parseInt(group, 16).toString(16))
  return `${kept.join(':')}::`.replace(/(?:^|:)0(?::0)*::$/, '::')
}

const groupsOf = (text: string): string[] => (text === '' ? [] : text.split(':'))

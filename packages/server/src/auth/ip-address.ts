/** IP addresses as they are stored: IPv4 in its own form, and, when the operator asks for it, without the part that names a person. */
import { isIPv6 } from 'node:net'

/** IPv4 that arrives through an IPv6 socket is written as IPv4; a zone is dropped. */
export function plainIp(ip: string): string {
  const bare = ip.replace(/%.*$/, '')
  const mapped = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i.exec(bare)
  return mapped ? mapped[1]! : bare
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

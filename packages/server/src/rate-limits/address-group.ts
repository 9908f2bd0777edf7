/** Which bucket an address belongs to. Whoever has one IPv6 address has 2^64 of them, so those of one network count as one caller. */
import { isIPv4, isIPv6 } from 'node:net'

/** IPv4 as it is (also when it comes in an IPv6 coat), IPv6 by its first 64 bits, anything else as one group of its own. */
export function addressGroup(address: string | undefined): string {
  if (address === undefined) return 'unknown'
  const bare = address.replace(/%.*$/, '')
  if (isIPv4(bare)) return bare
  if (!isIPv6(bare)) return 'unknown'
  const words = groups(bare)
  if (words.slice(0, 5).every((word) => word === 0) && words[5] === 0xff_ff)
    return [words[6]! >> 8, words[6]! & 255, words[7]! >> 8, words[7]! & 255].join('.')
  return `${words
    .slice(0, 4)
    .map((word) => word.toString(16))
    .join(':')}::/64`
}

/** The eight words of an address that is one. */
function groups(address: string): number[] {
  const quad = /^(.*:)(\d+)\.(\d+)\.(\d+)\.(\d+)$/.exec(address)
  const text = quad
    ? `${quad[1]}${((Number(quad[2]) << 8) | Number(quad[3])).toString(16)}:${((Number(quad[4]) << 8) | Number(quad[5])).toString(16)}`
    : address
  const [head = '', tail] = text.split('::')
  const words = (part: string): number[] => (part === '' ? [] : part.split(':').map((word) => Number.parseInt(word, 16)))
  if (tail === undefined) return words(head)
  const [before, after] = [words(head), words(tail)]
  return [...before, ...Array.from({ length: 8 - before.length - after.length }, () => 0), ...after]
}

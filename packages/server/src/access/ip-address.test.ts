import { expect, test } from 'vitest'
import { anonymizedIp, plainIp } from './ip-address.ts'

test.each([
  ['192.0.2.7', '192.0.2.0'],
  ['::ffff:192.0.2.7', '192.0.2.0'],
  ['2001:db8:1234:5678::1', '2001:db8:1234::'],
  ['2001:db8::1', '2001:db8::'],
  ['2001:DB8:0:1::1', '2001:db8::'],
  ['2001:0db8:0000:0001:0000:0000:0000:0001', '2001:db8::'],
  ['2001:0:7::1', '2001:0:7::'],
  ['::1', '::'],
  ['::', '::'],
  ['::2:3:4:5:6:7:8', '0:2:3::'],
  ['64:ff9b::192.0.2.7', '64:ff9b::'],
  ['fe80::1%eth0', 'fe80::'],
  ['unknown', null],
])('%s is kept as %s', (ip, kept) => {
  expect(anonymizedIp(ip)).toBe(kept)
})

test('an IPv4 address that came through an IPv6 socket is written as IPv4', () => {
  expect(plainIp('::ffff:192.0.2.7')).toBe('192.0.2.7')
  expect(plainIp('2001:db8::1')).toBe('2001:db8::1')
})

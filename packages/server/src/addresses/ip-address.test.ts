import { expect, test } from 'vitest'
import { addressGroup, anonymizedIp, plainIp } from './ip-address.ts'

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

test.each([
  ['192.0.2.7', '192.0.2.7'],
  ['::ffff:192.0.2.7', '192.0.2.7'],
  ['::FFFF:c000:207', '192.0.2.7'],
  ['0:0:0:0:0:ffff:192.0.2.7', '192.0.2.7'],
  ['2001:db8:1:2::1', '2001:db8:1:2::/64'],
  ['2001:0DB8:0001:0002:ffff:ffff:ffff:ffff', '2001:db8:1:2::/64'],
  ['2001:db8:1:3::1', '2001:db8:1:3::/64'],
  ['2001:db8::', '2001:db8::/64'],
  ['fe80::1%eth0', 'fe80::/64'],
  ['::1', '::/64'],
  ['64:ff9b::192.0.2.7', '64:ff9b::/64'],
  ['unknown-thing', 'unknown'],
  ['1.2.3.4.5', 'unknown'],
  // What only some parsers take for an address.
  ['127.1', 'unknown'],
  ['0x7f.0.0.1', 'unknown'],
  ['0300.0.2.7', 'unknown'],
  [undefined, 'unknown'],
])('%s counts as %s', (address, group) => {
  expect(addressGroup(address)).toBe(group)
})

test('one address has one spelling, whoever writes it down', () => {
  for (const spelling of [
    '195.7.191.206',
    '::ffff:195.7.191.206',
    '::ffff:c307:bfce',
    '0:0:0:0:0:FFFF:c307:bfce',
    '::ffff:c307:bfce%eth0',
  ]) {
    expect(plainIp(spelling), spelling).toBe('195.7.191.206')
    expect(addressGroup(spelling), spelling).toBe('195.7.191.206')
    expect(anonymizedIp(spelling), spelling).toBe('195.7.191.0')
  }
  for (const spelling of ['2001:db8::1', '2001:0DB8:0:0::0:1', '2001:db8:0:0:0:0:0.0.0.1']) {
    expect(plainIp(spelling), spelling).toBe('2001:db8::1')
    expect(addressGroup(spelling), spelling).toBe('2001:db8::/64')
    expect(anonymizedIp(spelling), spelling).toBe('2001:db8::')
  }
  // The old way to write an IPv4 address in IPv6 is not the same address.
  expect([plainIp('::195.7.191.206'), plainIp('::c307:bfce')]).toEqual(['::c307:bfce', '::c307:bfce'])
  expect(plainIp('unknown')).toBe('unknown')
})

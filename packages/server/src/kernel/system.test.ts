import { expect, it } from 'vitest'
import type { Operation } from './operations/operation.ts'
import { createService, type ServiceDefinition } from './service.ts'
import { defineNoun, defineSystem, operationsOf, servicesOf } from './system.ts'

const verb = (name: string, path: string): Operation => ({ name, http: { method: 'GET', path, success: 200 } }) as unknown as Operation
const sweeper = (): ServiceDefinition => ({ name: 'sweeper', everyMs: 1000, run: async () => ({ done: 0, more: false }) })
const tools = { signal: {}, log: {} } as unknown as Parameters<typeof createService>[1]

it('operations and services stand in the order of systems and nouns', () => {
  const one = defineNoun({ name: 'ones', operations: [verb('get_one', '/ones/:one')], services: { 'one-closer': sweeper } })
  const other = defineNoun({ name: 'others', operations: [verb('list_others', '/others')], services: { sweeper } })
  const systems = [defineSystem({ name: 'b', nouns: [other] }), defineSystem({ name: 'a', nouns: [one] })]
  expect(operationsOf(systems).map(({ name }) => name)).toEqual(['list_others', 'get_one'])
  expect([...servicesOf(systems).keys()]).toEqual(['sweeper', 'one-closer'])
})

it('two operations of one name or one route are refused, and two services of one name', () => {
  const noun = (...operations: Operation[]) => [defineSystem({ name: 'a', nouns: [defineNoun({ name: 'ones', operations })] })]
  expect(() => operationsOf(noun(verb('get_one', '/a'), verb('get_one', '/b')))).toThrow('get_one is brought twice')
  expect(() => operationsOf(noun(verb('get_one', '/a/:one'), verb('get_two', '/a/:two')))).toThrow('GET /a/: is brought twice')
  const twice = defineNoun({ name: 'ones', services: { sweeper } })
  expect(() => servicesOf([defineSystem({ name: 'a', nouns: [twice, { ...twice, name: 'twos' }] })])).toThrow('sweeper is brought twice')
})

it.each([
  [{ name: 'The sweeper' }, 'no name of a service'],
  [{ everyMs: 0 }, 'everyMs must be at least 1'],
  [{ settings: { afterHours: -1 } }, 'afterHours must be a number from 0'],
  [{ settings: { afterHours: Number.NaN } }, 'afterHours must be a number from 0'],
  [{ wakeOn: [''] }, 'a topic of wakeOn has no name'],
])('a service with %j is refused when it is made', (wrong, message) => {
  expect(() => createService({ ...sweeper(), ...wrong }, tools)).toThrow(message)
})

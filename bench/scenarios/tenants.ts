import { takeTurns } from '../contenders.ts'
import { fillQueue, openLeaseCycler } from '../http-client.ts'
import { cycler } from '../lease-cycles.ts'
import type { Scenario } from '../suite.ts'

/** Clients do not share their speed out evenly among the tenants, and a queue of one tenant that is empty would be an error. */
const spare = 1.5
const perOrder = 20

export const tenants: Scenario = {
  name: 'tenants',
  about: 'Lease cycles of 128 clients: all of one tenant, or two of each of 64 tenants.',
  async run(bench) {
    const count = bench.options.quick ? 3 : 64
    const clients = count * 2
    const server = await bench.server({ tenants: count, keys: clients })
    const names = { scenario: 'tenants', series: 'tenants one', what: `one tenant × ${clients} clients` }
    const one = await cycler(bench, server, names)
    const many = await cycler(bench, server, {
      ...names,
      series: 'tenants many',
      what: `${count} tenants × 2 clients`,
      several: {
        open: () => server.tenants.flatMap(({ agents }) => agents.map((key) => openLeaseCycler(server, key))),
        async fill(steps) {
          const each = Math.ceil((steps / count) * spare) + perOrder
          await Promise.all(server.tenants.map(({ proposer }) => fillQueue(server, each, { perOrder, proposer, connections: 1 })))
        },
      },
    })
    return takeTurns(bench, [one, many], clients)
  },
}

/** A server on which every case of every noun can be called. */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { defineGenerator } from '../src/work/generators/define-generator.ts'
import type { OrderType } from '../src/work/order-types/define-order-type.ts'
import { echoType } from './echo-type.ts'
import { essayType } from './essay-type.ts'
import { partsType } from './parts-type.ts'
import { startTestServer, type TestServer } from './test-server.ts'

const nightly = defineGenerator({
  name: 'nightly.echo',
  schedule: '0 3 * * *',
  generate: () => [{ type: 'example.echo', payload: { messages: ['good night'] }, key: 'night-1' }],
})

/** The order type that the references show, as its authors would load it. */
const example = new URL('../../../examples/order-types/echo.ts', import.meta.url)

export async function startCaseServer(types = [partsType]): Promise<TestServer> {
  const directory = await mkdtemp(path.join(tmpdir(), 'work-manager-cases-'))
  const { default: echoExample } = (await import(example.href)) as { default: OrderType }
  const server = await startTestServer({
    types: [echoExample, echoType, essayType, ...types],
    generators: [nightly],
    background: false,
    config: { order_types: { shipped: false }, publishers: { use: ['file'], file_path: path.join(directory, 'events.ndjson') } },
  })
  return {
    ...server,
    async stop() {
      await server.stop()
      await rm(directory, { recursive: true })
    },
  }
}

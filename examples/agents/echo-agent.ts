/** The smallest agent. It works on the order type in examples/order-types/echo.ts: WORK_MANAGER_KEY=wm_a_… node examples/agents/echo-agent.ts */
import { runAgent } from '@work-manager/sdk'
import { stopSignal } from '@work-manager/sdk/node'

const done = await runAgent<{ message: string }>({
  url: process.env.WORK_MANAGER_URL ?? 'http://127.0.0.1:7420',
  key: process.env.WORK_MANAGER_KEY ?? '',
  types: ['example.echo'],
  concurrency: 4,
  handler: ({ item }) => ({ result: { echoed: item.input.message } }),
  onEvent: (event) => {
    if (event.kind === 'submitted') console.log(`handed in ${event.item.id}`)
  },
  signal: stopSignal(),
})
console.log(`stopped after ${done.submitted} items`)

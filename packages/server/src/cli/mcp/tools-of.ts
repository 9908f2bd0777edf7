/** The tools that a server shows to a key. */
import { answerMessages } from './answer-messages.ts'

/** Names of the tools. Refuses with: an Error in the server's words, or the network's. */
export async function toolsOf(endpoint: string, key: string, signal: AbortSignal): Promise<string[]> {
  const response = await fetch(endpoint, {
    method: 'POST',
    headers: { authorization: `Bearer ${key}`, 'content-type': 'application/json', accept: 'application/json, text/event-stream' },
    body: JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'tools/list' }),
    redirect: 'error',
    signal: AbortSignal.any([signal, AbortSignal.timeout(10_000)]),
  })
  for await (const message of answerMessages(response, 1)) {
    const { result, error } = message as { result?: { tools: Array<{ name: string }> }; error?: { message: string } }
    if (error !== undefined) throw new Error(error.message)
    if (result !== undefined) return result.tools.map((tool) => tool.name)
  }
  throw new Error(`it answers ${response.status} without a message`)
}

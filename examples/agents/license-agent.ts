/**
 * An agent for the shipped type `dependency.license-audit`: for each package the licence that its package.json declares, with file, hash
 * and quote. It reads the files where the server does, so start it in the server's directory:
 * WORK_MANAGER_KEY=wm_a_… node examples/agents/license-agent.ts
 */
import { createHash } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import path from 'node:path'
import { runAgent } from '@work-manager/sdk'
import { stopSignal } from '@work-manager/sdk/node'

interface Answer {
  readonly spdx: string
  readonly notes?: string
  readonly [member: string]: unknown
}
type Input = { root: string; packages: { name: string; version: string; path: string }[] }

async function audit(root: string, { name, version, path: at }: Input['packages'][number]): Promise<Answer> {
  const file = `${at}/package.json`
  const bytes = await readFile(path.join(root, file))
  const quote = /"license"\s*:\s*"([^"]+)"/.exec(bytes.toString())
  const proof = {
    name,
    version,
    file,
    sha256: createHash('sha256').update(bytes).digest('hex'),
    quote: quote?.[0] ?? bytes.toString().slice(0, 200).trim(),
  }
  return quote ? { spdx: quote[1]!, ...proof } : { spdx: 'NOASSERTION', notes: 'package.json declares no licence.', ...proof }
}

await runAgent<Input>({
  url: process.env.WORK_MANAGER_URL ?? 'http://127.0.0.1:7420',
  key: process.env.WORK_MANAGER_KEY ?? '',
  types: ['dependency.license-audit'],
  handler: async ({ item }) => ({ result: { packages: await Promise.all(item.input.packages.map((one) => audit(item.input.root, one))) } }),
  // What the server does not take for a licence becomes "cannot be told", and says why.
  onRefused({ refused, findings }) {
    if (!refused || !('result' in refused)) return undefined
    const { packages } = refused.result as { packages: Answer[] }
    const correct = (answer: Answer, index: number): Answer => {
      const finding = findings.find(({ field }) => field === `packages.${index}.spdx`)
      return finding ? { ...answer, spdx: 'NOASSERTION', notes: finding.message } : answer
    }
    return { result: { packages: packages.map(correct) } }
  },
  onEvent: (event) => console.log(event.kind, 'item' in event && event.item ? event.item.id : ''),
  signal: stopSignal(),
})

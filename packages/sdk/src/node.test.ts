import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { describe, expect, it } from 'vitest'

const program = `
  import { stopSignal } from ${JSON.stringify(new URL('node.ts', import.meta.url).href)}
  const signal = stopSignal()
  const alive = setInterval(() => {}, 1000)
  signal.addEventListener('abort', () => {
    console.log(signal.reason.message)
    if (process.argv[1] === 'obeys') clearInterval(alive)
  })
  console.log('ready')
`

function start(behaviour: string) {
  const child = spawn(process.execPath, ['--input-type=module', '-e', program, behaviour], { stdio: ['ignore', 'pipe', 'inherit'] })
  let said = ''
  child.stdout.on('data', (chunk: Buffer) => (said += chunk.toString()))
  const hears = async (text: string): Promise<void> => {
    while (!said.includes(text)) await once(child.stdout, 'data')
  }
  return { child, hears, ended: once(child, 'exit') }
}

describe('stopSignal', () => {
  it.each(['SIGTERM', 'SIGINT'] as const)('is aborted by %s, and the process ends by itself', async (name) => {
    const { child, hears, ended } = start('obeys')
    await hears('ready')
    child.kill(name)
    await hears(`stopped by ${name}`)
    expect(await ended).toEqual([0, null])
  })

  it('a second signal ends a process that does not obey', async () => {
    const { child, hears, ended } = start('does not obey')
    await hears('ready')
    child.kill('SIGTERM')
    await hears('stopped by SIGTERM')
    child.kill('SIGTERM')
    expect(await ended).toEqual([null, 'SIGTERM'])
  })
})

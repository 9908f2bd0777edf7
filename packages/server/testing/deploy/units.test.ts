/** The shipped units of systemd, judged by systemd itself: nothing in them is misspelt, and what they run is shut in. */
import { execFile } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { root } from '../doc-snippets.ts'
import { isInstalled } from '../peers/redis-server.ts'

const installed = await isInstalled('systemd-analyze')
const shipped = (name: string) => readFileSync(path.join(root, 'deploy', name), 'utf8')
/** Under which names the guide installs which file. */
const units = {
  'work-manager.service': 'work-manager.service',
  'work-manager@.service': 'work-manager.service',
  'work-manager-migrate.service': 'work-manager-migrate.service',
}

describe.skipIf(!installed)('the units of deploy/', () => {
  let folder: string
  beforeAll(() => {
    folder = mkdtempSync(path.join(tmpdir(), 'work-manager-units-'))
    // systemd looks whether the program is there, which it need not be on this machine.
    for (const [name, file] of Object.entries(units))
      writeFileSync(path.join(folder, name), shipped(file).replace('ExecStart=/usr/bin/node', `ExecStart=${process.execPath}`))
  })
  afterAll(() => rmSync(folder, { recursive: true }))
  const analyze = (...args: string[]): Promise<{ failed: boolean; said: string }> =>
    new Promise((resolve) => {
      execFile('systemd-analyze', args, { cwd: folder, env: { ...process.env, SYSTEMD_PAGER: 'cat' } }, (error, stdout, stderr) =>
        resolve({ failed: error !== null, said: stdout + stderr }),
      )
    })

  it.each(['work-manager.service', 'work-manager@7421.service', 'work-manager-migrate.service'])(
    '%s is a unit without a fault',
    async (name) => {
      expect(await analyze('verify', '--man=no', `./${name}`)).toEqual({ failed: false, said: '' })
    },
  )

  it.each(['work-manager.service', 'work-manager-migrate.service'])(
    '%s is hardened: what systemd counts against it is little',
    async (name) => {
      const { said } = await analyze('security', '--offline=true', '--no-pager', `./${name}`)
      // Of ten: a unit without sandbox has 9.6. What is left is the network.
      expect(Number(/Overall exposure level for \S+: ([\d.]+)/.exec(said)?.[1]), said).toBeLessThanOrEqual(1.5)
    },
  )

  it('the owner’s password is known to the migration alone', () => {
    expect(shipped('work-manager.service')).not.toMatch(/admin/i)
    expect(shipped('work-manager-migrate.service')).toContain('LoadCredential=database-admin-url:')
  })
})

/** Whether this machine has a Python that can run the SDK for it. A run of ours always has; a bare machine is told what it leaves out. */
import { spawnSync } from 'node:child_process'

export interface Python {
  readonly isThere: boolean
  readonly why?: string
}

const canRun = (command: string, program: string): boolean => spawnSync(command, ['-c', program]).status === 0

/** Says what is left out; a run of ours leaves nothing out. */
function leaveOut(why: string, packages: string): void {
  if (process.env['CI']) throw new Error(`${why} Install it: apt-get install ${packages}.`)
  console.warn(why)
}

function lookForPython(): Python {
  if (canRun('python3', 'import sys; sys.exit(0 if sys.version_info >= (3, 10) else 1)')) return { isThere: true }
  const why = 'The SDK for Python is not tested: there is no python3 of version 3.10 or later on this machine.'
  leaveOut(why, 'python3')
  return { isThere: false, why }
}

export const python: Python = lookForPython()

/** A Python that has these modules: the first one on the path may be one that somebody compiled, and the system's has the packages. */
export function findPython(modules: string, packages: string): string | undefined {
  const found = ['python3', '/usr/bin/python3'].find((command) => canRun(command, `import ${modules}`))
  if (found === undefined) leaveOut(`A part of the tests of the SDK for Python is left out: no python3 here has ${modules}.`, packages)
  return found
}

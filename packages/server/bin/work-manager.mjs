#!/usr/bin/env -S node --max-semi-space-size=8 --max-old-space-size=512 --no-allocation-site-pretenuring
// Plain JavaScript that old versions of Node can still read, so that they get a sentence instead of a syntax error.
import { accessSync, constants, existsSync, statSync } from 'fs'
import * as module from 'module'
import { homedir } from 'os'
import { join } from 'path'
import { flagsFor, smallest, usableMemory } from './memory-flags.mjs'

const needed = [22, 19]
const found = process.versions.node.split('.').map(Number)

if (found[0] < needed[0] || (found[0] === needed[0] && found[1] < needed[1])) {
  console.error(
    'work-manager needs Node ' +
      needed.join('.') +
      ' or newer but was started on Node ' +
      process.versions.node +
      ': install a newer one from https://nodejs.org, or, inside the Work Manager repository, run "npx work-manager ...", which uses the bundled Node 24.',
  )
  process.exit(3)
}

// The first line cannot know the machine: a server starts again in the same process where there is memory for more. Flags that somebody
// chose stay as they are.
const wanted = flagsFor(usableMemory())
if (
  process.execve &&
  !process.connected &&
  ['serve', 'start'].includes(process.argv[2]) &&
  String(process.execArgv) === String(smallest) &&
  String(wanted) !== String(smallest)
)
  process.execve(process.execPath, [process.execPath, ...wanted, ...process.argv.slice(1)], process.env)

// A proxy of the shell (HTTP_PROXY with NODE_USE_ENV_PROXY) is for the world outside: a server on this machine is asked directly.
for (const name of ['NO_PROXY', 'no_proxy'])
  process.env[name] = [process.env[name], 'localhost,127.0.0.1,::1,[::1]'].filter(Boolean).join(',')

// Compiled code is kept between starts, which halves their time. In a directory of the user's own: whoever can write there decides what
// runs here, so neither a shared temporary directory nor somebody else's home will do.
try {
  const home = statSync(homedir())
  // Asked first: Node itself never comes back from making a folder in some places (/proc).
  accessSync(homedir(), constants.W_OK)
  if (module.enableCompileCache && home.isDirectory() && home.dev !== procDevice() && (!process.getuid || home.uid === process.getuid()))
    module.enableCompileCache(
      process.env.NODE_COMPILE_CACHE || join(process.env.XDG_CACHE_HOME || join(homedir(), '.cache'), 'work-manager'),
    )
} catch {
  // No home: everything is compiled anew.
}

function procDevice() {
  return existsSync('/proc') ? statSync('/proc').dev : undefined
}

// The repository holds TypeScript, a published package holds the same tree compiled.
const source = new URL('../src/cli/main.ts', import.meta.url)
const compiled = new URL('../src/cli/main.js', import.meta.url)
import(existsSync(source) ? source.href : compiled.href).catch(function (error) {
  console.error(error)
  process.exit(1)
})

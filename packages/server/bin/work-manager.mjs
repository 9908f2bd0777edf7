#!/usr/bin/env -S node --max-semi-space-size=8 --max-old-space-size=512
// Plain JavaScript that old versions of Node can still read, so that they get a sentence instead of a syntax error.
import { existsSync, statSync } from 'fs'
import * as module from 'module'
import { homedir } from 'os'
import { join } from 'path'

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

// Compiled code is kept between starts, which halves their time. In a directory of the user's own: whoever can write there decides what
// runs here, so neither a shared temporary directory nor somebody else's home will do.
try {
  if (module.enableCompileCache && (!process.getuid || statSync(homedir()).uid === process.getuid()))
    module.enableCompileCache(
      process.env.NODE_COMPILE_CACHE || join(process.env.XDG_CACHE_HOME || join(homedir(), '.cache'), 'work-manager'),
    )
} catch {
  // No home: everything is compiled anew.
}

// The repository holds TypeScript, a published package holds the same tree compiled.
const source = new URL('../src/cli/main.ts', import.meta.url)
const compiled = new URL('../src/cli/main.js', import.meta.url)
import(existsSync(source) ? source.href : compiled.href).catch(function (error) {
  console.error(error)
  process.exit(1)
})

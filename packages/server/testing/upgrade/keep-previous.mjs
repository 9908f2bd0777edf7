/**
 * Keeps what the program was at a commit as previous.tar.gz, for the test of rolling upgrades: node keep-previous.mjs <commit>. Done at a
 * release, with its commit. Kept as a file, because an unpacked archive and a shallow clone have no history to take it from.
 */
import { execFileSync } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { gzipSync } from 'node:zlib'

const commit = process.argv[2]
if (commit === undefined) throw new Error('Name the commit of the release: node keep-previous.mjs <commit>')
const root = fileURLToPath(new URL('../../../..', import.meta.url))
const git = (...args) => execFileSync('git', args, { cwd: root, maxBuffer: 64 * 1024 * 1024 })
const serving = (name) => !/\.test\.ts$|\/testing\/|\/fixtures\/|schema\.sql$|\.md$|\/cases\.ts$|\/src\/cli\//.test(name)
const files = git('ls-tree', '-r', '--name-only', commit, 'packages/contract', 'packages/server')
  .toString()
  .trim()
  .split('\n')
  .filter(serving)
const archive = gzipSync(git('archive', commit, ...files), { level: 9 })
writeFileSync(new URL('previous.tar.gz', import.meta.url), archive)
process.stdout.write(`${files.length} files of ${git('rev-parse', '--short', commit).toString().trim()}, ${archive.length} bytes\n`)

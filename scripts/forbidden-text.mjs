/** Fails when a project file holds text that is true on one machine only: a path of its author, or a package registry of their own. */
import { readFileSync } from 'node:fs'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { projectFiles } from './project-files.mjs'

const root = fileURLToPath(new URL('..', import.meta.url))

const rules = [
  {
    // Only where a path can begin: `/api/work/orders` and `https://host/home/` are not paths of a machine.
    pattern: /(?<![\w.:/\-}*])\/(?:work|tmp|home|root|Users)\/[\w.-]+/g,
    says: 'an absolute path of one machine; use a path relative to the repository, os.tmpdir() or os.homedir()',
    allowed: () => false,
  },
  {
    pattern: /\bhttps?:\/\/(?:[\w-]+\.)*(?:registry|npm|nexus|artifactory|verdaccio|packages)[\w-]*(?:\.[\w-]+)+(?::\d+)?/gi,
    says: 'a package registry other than https://registry.npmjs.org',
    allowed: (match) => /^https:\/\/(registry|www)\.npmjs\.(org|com)$/i.test(match),
  },
  {
    pattern: /"resolved": "https?:\/\/[^/"]+/g,
    says: 'a registry address in a lock file; the .npmrc of this repository leaves it out',
    allowed: () => false,
  },
]

let found = 0
for (const file of projectFiles(root)) {
  const bytes = readFileSync(path.join(root, file))
  if (bytes.subarray(0, 8000).includes(0)) continue
  bytes
    .toString('utf8')
    .split('\n')
    .forEach((line, index) => {
      for (const rule of rules) {
        for (const [match] of line.matchAll(rule.pattern)) {
          if (rule.allowed(match)) continue
          console.log(`${file}:${index + 1}: "${match}" is ${rule.says}.`)
          found += 1
        }
      }
    })
}
process.exitCode = found === 0 ? 0 : 1

/** Writes THIRD_PARTY_NOTICES.md. The same entries give the same bytes, so writing twice changes nothing. */
import { createHash } from 'node:crypto'
import { lstat, open, readFile, realpath, rename, rm } from 'node:fs/promises'
import path from 'node:path'
import { marked } from '../../../../log/inert-text.ts'
import { auditRoot, isInside } from './installed-packages.ts'

export interface NoticeEntry {
  readonly name: string
  readonly version: string
  readonly spdx: string
  readonly file: string
  readonly sha256: string
  readonly quote: string
}

/** The first line of what we write; a file that does not begin with it is somebody else's and is left alone. */
const marker = '<!-- Written by Work Manager (dependency.license-audit). Changes are overwritten by the next audit. -->'

/** Text from agents and packages goes into an indented block or code span, where Markdown and HTML mean nothing, and hides nothing. */
const block = (text: string): string =>
  text
    .split(/\r\n|\r|\n/)
    .map((line) => `    ${marked(line.replaceAll('\t', '    '))}`.trimEnd())
    .join('\n')
const span = (text: string): string => `\`${marked(text.replaceAll(/[`\r\n\t]/g, ' '))}\``

/** The whole file as text: a count per licence, then each package with its proof. */
export function renderNotices(entries: readonly NoticeEntry[]): string {
  const compare = (a: string, b: string) => (a < b ? -1 : a > b ? 1 : 0)
  const sorted = [...entries].sort((a, b) => compare(a.name, b.name) || compare(a.version, b.version))
  const counts = new Map<string, number>()
  for (const entry of sorted) counts.set(entry.spdx, (counts.get(entry.spdx) ?? 0) + 1)
  const table = [...counts].sort(([a, n], [b, m]) => m - n || compare(a, b)).map(([spdx, n]) => `| ${span(spdx)} | ${n} |`)
  const packages = sorted.map(
    (e) =>
      `## ${span(`${e.name}@${e.version}`)}\n\n${span(e.spdx)}, by ${span(e.file)} (SHA-256 ${span(e.sha256)}):\n\n${block(e.quote)}\n`,
  )
  return `${marker}\n# Third-party notices\n\n${sorted.length} packages, ${counts.size} licences.\n\n| Licence | Packages |\n|---|---:|\n${table.join('\n')}\n\n${packages.join('\n')}`
}

/**
 * Where the file goes: `output` relative to the audited root, inside `base`. Throws with a sentence when the path is not a plain .md
 * path inside, or when a file stands there that an audit did not write.
 */
export async function noticesTarget(base: string, root: string, output: string): Promise<string> {
  const steps = output.split('/')
  if (
    path.isAbsolute(output) ||
    /[\\\0]/.test(output) ||
    !output.endsWith('.md') ||
    steps.some((step) => step === '' || step.startsWith('.') || step === 'node_modules')
  )
    throw new Error(`output '${output}' must be a relative path of an .md file, without '..', hidden directories or node_modules`)
  const directory = await realpath(path.join(await auditRoot(base, root), ...steps.slice(0, -1))).catch(() => undefined)
  if (directory === undefined) throw new Error(`the directory of output '${output}' does not exist`)
  if (!isInside(await realpath(base), directory)) throw new Error(`output '${output}' leads out of the server's working directory`)
  const target = path.join(directory, steps.at(-1) as string)
  const existing = await lstat(target).catch(() => undefined)
  if (existing && !(existing.isFile() && (await readFile(target, 'utf8')).startsWith(marker)))
    throw new Error(`${output} already exists and was not written by an audit; move it away, or propose the order with another output`)
  return target
}

/** Writes the file beside its place and renames it, so that a reader sees the old or the new one and a crash leaves no half. */
export async function writeNotices(
  target: string,
  entries: readonly NoticeEntry[],
  key: string,
): Promise<{ bytes: number; sha256: string }> {
  const text = renderNotices(entries)
  const temporary = path.join(
    path.dirname(target),
    `.${path.basename(target)}.${createHash('sha256').update(key).digest('hex').slice(0, 12)}.tmp`,
  )
  await rm(temporary, { force: true })
  const handle = await open(temporary, 'wx', 0o644)
  try {
    await handle.writeFile(text)
    await handle.sync()
  } finally {
    await handle.close()
  }
  await rename(temporary, target)
  return { bytes: Buffer.byteLength(text), sha256: createHash('sha256').update(text).digest('hex') }
}

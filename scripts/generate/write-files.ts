/** Writes derived files, or says which have drifted. One that cannot be made does not keep the others from being written. */
import { mkdir, readFile, writeFile } from 'node:fs/promises'
import path from 'node:path'

/** Path below the root → its text, in the order in which they are made. */
export type Files = Readonly<Record<string, () => string | Promise<string>>>

export interface Outcome {
  /** Files that are not what they should be, and where to look. */
  readonly drifted: readonly string[]
  /** Files that could not be made, and what to do. */
  readonly failed: readonly string[]
}

/** Whoever adds something must be told what is missing; the stack of the generator would not help. */
export class Missing extends Error {}

export async function writeFiles(root: string, files: Files, check: boolean): Promise<Outcome> {
  const drifted: string[] = []
  const failed: string[] = []
  for (const [file, render] of Object.entries(files)) {
    let text: string
    try {
      text = await render()
    } catch (error) {
      failed.push(`${file}: ${error instanceof Missing ? error.message : error instanceof Error ? error.stack : String(error)}`)
      continue
    }
    const target = path.join(root, file)
    const present = await readFile(target, 'utf8').catch(() => null)
    if (present === text) continue
    drifted.push(`${file} (${present === null ? 'missing' : firstDifference(present, text)})`)
    if (check) continue
    await mkdir(path.dirname(target), { recursive: true })
    await writeFile(target, text)
  }
  return { drifted, failed }
}

/** The first line that is not as it would be written. */
function firstDifference(present: string, wanted: string): string {
  const lines = present.split('\n')
  const index = wanted.split('\n').findIndex((line, number) => line !== lines[number])
  return index === -1 ? `too long from line ${wanted.split('\n').length}` : `from line ${index + 1}`
}

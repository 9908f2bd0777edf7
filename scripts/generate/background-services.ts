/** Names of the background services, read from their sources: making them needs a whole server. */
import { readdir, readFile } from 'node:fs/promises'
import path from 'node:path'

export async function readServiceNames(directory: string): Promise<string[]> {
  const sources = (await readdir(directory, { recursive: true }))
    .filter((name) => name.endsWith('.ts') && !name.endsWith('.test.ts'))
    .sort()
  const texts = await Promise.all(sources.map((name) => readFile(path.join(directory, name), 'utf8')))
  return texts
    .filter((text) => text.includes('ServiceDefinition'))
    .flatMap((text) => [...text.matchAll(/\bname: '([a-z-]+)'/g)].map(([, name]) => name!))
}

import { readFile } from 'node:fs/promises'

const file = new URL('../../package.json', import.meta.url)
/** Of this package. */
export const { version } = JSON.parse(await readFile(file, 'utf8')) as { readonly version: string }

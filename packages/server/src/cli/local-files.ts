/** The files that a server leaves in its data directory for the commands of the same user: where it listens, and keys (mode 0600). */
import { mkdir, open, readFile, rename, rm, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { CliError } from './cli-error.ts'

const addressFile = (directory: string) => path.join(directory, 'server-url')

/** The local person's key. */
export const reviewerKeyFile = (directory: string) => path.join(directory, 'reviewer.key')
/** The keys of the demo's agents and reviewer. */
export const demoKeysFile = (directory: string) => path.join(directory, 'demo-keys.json')

/** Written whole or not at all, and never readable by others, not even for a moment. */
export async function writePrivately(file: string, text: string): Promise<void> {
  await mkdir(path.dirname(file), { recursive: true, mode: 0o700 })
  const unfinished = `${file}.${process.pid}.tmp`
  try {
    await writeFile(unfinished, text, { mode: 0o600, flag: 'wx' })
    await rename(unfinished, file)
  } catch (error) {
    await rm(unfinished, { force: true })
    throw error
  }
}

/**
 * The text of a file that holds keys. Whoever else can read it has the key, and whoever else can write it chooses to whom we say what.
 * Refuses with: key_file_open.
 */
export async function readPrivate(file: string): Promise<string> {
  const handle = await open(file, 'r')
  try {
    const { mode, uid } = await handle.stat()
    const me = process.getuid?.()
    // Windows says nothing about others in the mode.
    if (me !== undefined && (mode & 0o077) !== 0)
      throw new CliError(
        'permission',
        'key_file_open',
        `Others can read the key file ${file} (mode ${(mode & 0o777).toString(8).padStart(4, '0')}).`,
        `Close it with chmod 600 '${file}', and rotate the key if others may have read it.`,
      )
    if (me !== undefined && uid !== me && uid !== 0 && me !== 0)
      throw new CliError(
        'permission',
        'key_file_open',
        `The key file ${file} belongs to another user (uid ${uid}).`,
        'Use a key file of your own.',
      )
    return await handle.readFile('utf8')
  } finally {
    await handle.close()
  }
}

/** The same, or undefined when there is none. */
export async function readPrivateIfThere(file: string): Promise<string | undefined> {
  try {
    return await readPrivate(file)
  } catch (error) {
    if (['ENOENT', 'ENOTDIR'].includes((error as NodeJS.ErrnoException).code ?? '')) return undefined
    throw error
  }
}

/** The file's text, or undefined when there is none. */
export async function readIfThere(file: string): Promise<string | undefined> {
  try {
    return await readFile(file, 'utf8')
  } catch (error) {
    if (['ENOENT', 'ENOTDIR'].includes((error as NodeJS.ErrnoException).code ?? '')) return undefined
    throw error
  }
}

/**
 * Tells the commands where the server listens; needed when that is not what the configuration says (`--port`, port 0). Returns how to
 * take it back, which leaves the address of a server that announced itself later alone.
 */
export async function announceServer(directory: string, url: string): Promise<() => Promise<void>> {
  const file = addressFile(directory)
  await writePrivately(file, `${url}\n`)
  return async () => {
    if ((await readIfThere(file))?.trim() === url) await rm(file, { force: true })
  }
}

/** Where the server of this directory listens, as far as it said. */
export async function readServerAddress(directory: string): Promise<string | undefined> {
  try {
    const text = (await readIfThere(addressFile(directory)))?.trim()
    return text !== undefined && URL.canParse(text) ? text : undefined
  } catch {
    // Another user's directory: the configuration's address is the better guess.
    return undefined
  }
}

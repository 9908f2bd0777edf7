// The two random passwords of the cluster, in one private file beside it. Nobody types them; the product reads them at start.

import { randomBytes } from 'node:crypto'
import { chmod, readFile } from 'node:fs/promises'
import { type Home, writeDurably } from './home.ts'
import { explainFileError, isMissing } from './start-error.ts'

export const OWNER_ROLE = 'work_manager_owner'
export const RUNTIME_ROLE = 'work_manager_runtime'
export const DATABASE = 'work_manager'

export interface Credentials {
  readonly owner: string
  readonly runtime: string
}

const FILE = 'credentials.json'

/** Reads the passwords, or makes and stores new ones (a lost file: the cluster is then taught them, see owner-password.ts). */
export async function keepCredentials(home: Home): Promise<Credentials> {
  const stored = await readCredentials(home)
  if (stored) return stored
  const credentials: Credentials = { owner: randomPassword(), runtime: randomPassword() }
  await writeDurably(home, FILE, `${JSON.stringify(credentials, null, 2)}\n`)
  return credentials
}

async function readCredentials(home: Home): Promise<Credentials | undefined> {
  try {
    const { owner, runtime } = JSON.parse(await readFile(home.path(FILE), 'utf8')) as Partial<Credentials>
    await chmod(home.path(FILE), 0o600)
    return isPassword(owner) && isPassword(runtime) ? { owner, runtime } : undefined
  } catch (error) {
    if (isMissing(error) || error instanceof SyntaxError) return undefined
    throw explainFileError(error, home.path(FILE))
  }
}

// Hexadecimal only: the passwords stand in URLs and in SQL literals without quoting.
function randomPassword(): string {
  return randomBytes(24).toString('hex')
}

function isPassword(value: unknown): value is string {
  return typeof value === 'string' && /^[0-9a-f]{48}$/.test(value)
}

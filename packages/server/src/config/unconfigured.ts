/**
 * Where a server is when nobody has configured anything. Commands that only ask a server need no more of the configuration, and the
 * schema of all of it, with the library that judges it, costs twice their own start.
 */
import { existsSync, readFileSync } from 'node:fs'
import path from 'node:path'

export const defaultHost = '127.0.0.1'
export const defaultPort = 7420
export const defaultDataDirectory = './.work-manager'

export const configFileNames = ['work-manager.config.ts', 'work-manager.config.js', 'work-manager.config.mjs', 'work-manager.config.json']
/** Of the command line, not settings of the server; documented beside them. */
export const commandLineVariables = {
  WORK_MANAGER_URL: 'Server that the command line talks to, such as https://work.example.org.',
  WORK_MANAGER_KEY: 'API key that the command line uses.',
} as const

/**
 * True where nothing is said about a server's address and data, by file or variable: then the defaults above are what reading the
 * configuration would give. What else a file says is for the server to judge.
 */
export function isUnconfigured(cwd: string, env: Readonly<Record<string, string | undefined>>): boolean {
  if (Object.keys(env).some((name) => name.startsWith('WORK_MANAGER_') && !Object.hasOwn(commandLineVariables, name))) return false
  const [file, ...others] = configFileNames.filter((name) => existsSync(path.join(cwd, name)))
  if (file === undefined) return true
  if (others.length > 0 || !file.endsWith('.json')) return false
  try {
    const content: unknown = JSON.parse(readFileSync(path.join(cwd, file), 'utf8'))
    return typeof content === 'object' && content !== null && !('server' in content) && !('database' in content)
  } catch {
    // Said properly by whoever reads it in earnest.
    return false
  }
}

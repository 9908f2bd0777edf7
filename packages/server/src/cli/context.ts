/** What every command gets: the output, the global options, the configuration and the connection, each made when first needed. */
import path from 'node:path'
import type { Config, ReadConfig } from '../config/index.ts'
import { defaultDataDirectory, defaultHost, defaultPort, isUnconfigured } from '../config/unconfigured.ts'
import { readTraceparent } from '../tracing/traceparent.ts'
import { CliError } from './cli-error.ts'
import { readPrivate, readServerAddress, reviewerKeyFile } from './local-files.ts'
import type { Output } from './output.ts'
import type { ServerClient } from './server-client.ts'

export interface GlobalOptions {
  readonly json?: boolean
  readonly url?: string
  readonly key?: string
  readonly keyFile?: string
  readonly config?: string
}

export type Flags = Record<string, { text: string; from: string }>

export class Context {
  readonly out: Output
  readonly env: Readonly<Record<string, string | undefined>>
  readonly cwd: string
  /** Aborted by Ctrl-C, except in the commands that run a server and end in their own way. */
  readonly interrupt = new AbortController()
  options: GlobalOptions = {}
  #read: Promise<ReadConfig> | undefined

  constructor(out: Output, env: Readonly<Record<string, string | undefined>>, cwd: string) {
    this.out = out
    this.env = env
    this.cwd = cwd
  }

  /** The configuration, with the flags of the first command that asks. */
  readConfig(flags: Flags = {}): Promise<ReadConfig> {
    // Loaded when needed: a command that is told address and key answers twice as fast without.
    this.#read ??= import('../config/index.ts').then(({ readConfig }) =>
      readConfig({
        env: this.env,
        cwd: this.cwd,
        file: this.options.config,
        flags,
        notice: (sentence) => this.out.note(`notice: ${sentence}`),
      }),
    )
    return this.#read
  }

  async config(flags: Flags = {}): Promise<Config> {
    return (await this.readConfig(flags)).config
  }

  /** Where a server of this place is: what a command that only asks one needs to know. */
  async #place(): Promise<{ directory: string; host: string; port: number }> {
    if (this.#read === undefined && this.options.config === undefined && isUnconfigured(this.cwd, this.env))
      return { directory: path.resolve(this.cwd, defaultDataDirectory), host: defaultHost, port: defaultPort }
    const { database, server } = await this.config()
    return { directory: database.data_directory, host: server.host, port: server.port }
  }

  /** The address that commands talk to: --url, WORK_MANAGER_URL, the server that runs here, or where one would run. */
  async url(): Promise<string> {
    const named = this.options.url ?? nonEmpty(this.env.WORK_MANAGER_URL)
    if (named === undefined) {
      const { directory, host, port } = await this.#place()
      return (await readServerAddress(directory)) ?? `http://${reachableHost(host)}:${port}`
    }
    const from = this.options.url === undefined ? 'WORK_MANAGER_URL' : '--url'
    const url = URL.canParse(named) ? new URL(named) : undefined
    if (url === undefined || !/^https?:$/.test(url.protocol))
      throw new CliError('usage', 'usage', `${from} is not an address: '${named}'.`, 'Write the scheme too, as in http://127.0.0.1:7420.')
    return named.replace(/\/+$/, '')
  }

  /** A client of the server that the command talks to. */
  async client(key?: { text: string; from: string }): Promise<ServerClient> {
    const url = await this.url()
    const { text, from } = key ?? (await this.#key(url))
    // Loaded when needed: most of what is said about a command line needs no server.
    const { createServerClient } = await import('./server-client.ts')
    return createServerClient({
      url,
      key: text,
      keyFrom: from,
      signal: this.interrupt.signal,
      traceparent: readTraceparent(this.env.TRACEPARENT),
    })
  }

  /** The key that --key, --key-file or WORK_MANAGER_KEY gives; never the local person's, which only a person may use. */
  async namedKey(): Promise<{ text: string; from: string } | undefined> {
    const { key, keyFile } = this.options
    if (key !== undefined) return judged(key, '--key')
    if (keyFile !== undefined) return judged(await keyIn(path.resolve(this.cwd, keyFile)), keyFile)
    const fromEnvironment = nonEmpty(this.env.WORK_MANAGER_KEY)
    return fromEnvironment === undefined ? undefined : judged(fromEnvironment, 'WORK_MANAGER_KEY')
  }

  async #key(address: string): Promise<{ text: string; from: string }> {
    const named = await this.namedKey()
    if (named !== undefined) return named
    const { directory } = await this.#place()
    const file = reviewerKeyFile(directory)
    await assertIsLocal(address, directory)
    return judged(
      await keyIn(
        file,
        () =>
          new CliError(
            'permission',
            'auth_required',
            `There is no API key: looked for --key, --key-file, WORK_MANAGER_KEY and ${file}.`,
            'Run the command on the machine of the server, or ask its owner for a key (`work-manager keys create`).',
          ),
      ),
      file,
    )
  }
}

/** The key of the person at this machine goes to the server of this machine and nowhere else, whatever a flag or the environment names. */
async function assertIsLocal(address: string, directory: string): Promise<void> {
  const { hostname, origin } = new URL(address)
  if (/^(localhost|127(\.\d{1,3}){3}|\[::1\])$/.test(hostname)) return
  const own = await readServerAddress(directory)
  if (own !== undefined && new URL(own).origin === origin) return
  throw new CliError(
    'permission',
    'auth_required',
    `No API key was given for ${origin}; the key of this machine is sent to its own server only.`,
    'Give a key of that server with --key-file or WORK_MANAGER_KEY (`work-manager keys create` makes one there).',
  )
}

async function keyIn(file: string, absent?: () => CliError): Promise<string> {
  try {
    return await readPrivate(file)
  } catch (cause) {
    if (cause instanceof CliError) throw cause
    const { code } = cause as NodeJS.ErrnoException
    if (code === 'ENOENT' && absent !== undefined) throw absent()
    throw new CliError(
      'permission',
      'key_file_unreadable',
      `The key file ${file} cannot be read (${code}).`,
      code === 'EACCES'
        ? 'Run the command as the user that runs the server, or ask for a key of your own.'
        : 'Name a file that holds one API key.',
      { cause },
    )
  }
}

function judged(text: string, from: string): { text: string; from: string } {
  const key = text.trim()
  if (!/^[\x21-\x7e]+$/.test(key))
    throw new CliError(
      'permission',
      'auth_malformed',
      `The key from ${from} is ${key === '' ? 'empty' : 'not one word of plain characters'}.`,
      'Give the key exactly as it was shown when it was made: wm_…',
    )
  return { text: key, from }
}

const nonEmpty = (text: string | undefined) => (text === undefined || text.trim() === '' ? undefined : text.trim())

function reachableHost(host: string): string {
  if (host === '0.0.0.0') return '127.0.0.1'
  if (host === '::') return '[::1]'
  return host.includes(':') ? `[${host}]` : host
}

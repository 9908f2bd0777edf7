import { mkdir, mkdtemp, readFile, readdir, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { agentClients, clientNames, type ClientName, type Place } from './agent-clients.ts'
import { lineDiff } from './config-text.ts'
import { install, uninstall, type InstallRequest } from './install.ts'

const secret = 'wm_secret_that_nobody_prints'
let home: string
let place: Place
beforeEach(async () => {
  home = await mkdtemp(path.join(tmpdir(), 'wm-install-'))
  place = { platform: 'linux', home, env: {}, cwd: path.join(home, 'project') }
})
afterEach(() => rm(home, { recursive: true }))

const request = (client: ClientName, more: Partial<InstallRequest> = {}): InstallRequest => ({
  client,
  place,
  project: false,
  url: 'http://127.0.0.1:7420',
  keyFile: undefined,
  dryRun: false,
  obtainKey: async () => ({ text: secret, id: 'key-1' }),
  ...more,
})
const revoked: string[] = []
const undo = (client: ClientName, more: object = {}) =>
  uninstall({ client, place, project: false, dryRun: false, revokeKey: async (id) => void revoked.push(id), ...more })
const everyFile = async () =>
  ((await readdir(home, { recursive: true, withFileTypes: true })) as Array<{ isFile(): boolean; name: string }>)
    .filter((one) => one.isFile())
    .map((one) => one.name)

const existing: Record<ClientName, string> = {
  'claude-code': '{\n    "numStartups": 7,\n    "mcpServers": { "other": { "command": "x" } }\n}',
  'claude-desktop': '{"mcpServers":{}}\n',
  cursor: '',
  vscode: '{\n\t"inputs": [],\n\t"servers": {}\n}\n',
  codex: '# mine\nmodel = "o"\n\n[mcp_servers.other]\ncommand = "x"\nargs = [\n  "[a]",\n]\n\n[mcp_servers.other.env]\nA = "1"\n',
}

describe.each(clientNames)('%s', (client) => {
  it('gets one entry that names the key file, keeps everything else, and comes back byte for byte', async () => {
    const file = agentClients[client].file(place)
    await mkdir(path.dirname(file), { recursive: true })
    await writeFile(file, existing[client])
    const shown = await install(request(client, { dryRun: true }))
    expect(shown.diff.join('\n')).toContain('+ ')
    expect(await readFile(file, 'utf8')).toBe(existing[client])

    const change = await install(request(client))
    expect(change.diff).toEqual(shown.diff)
    const text = await readFile(file, 'utf8')
    expect(text).toContain('work-manager.mjs')
    expect(text).toContain(change.key_file)
    expect(text).not.toContain(secret)
    expect(JSON.stringify(change)).not.toContain(secret)
    expect([await readFile(change.key_file!, 'utf8'), (await stat(change.key_file!)).mode & 0o777]).toEqual([`${secret}\n`, 0o600])
    expect(await readFile(change.backup!, 'utf8')).toBe(existing[client])
    if (client === 'codex') expect(text.startsWith(existing.codex.trimEnd())).toBe(true)
    else if (existing[client].includes('other')) expect(JSON.parse(text).mcpServers.other).toEqual({ command: 'x' })

    const again = await install(request(client, { obtainKey: () => Promise.reject(new Error('no second key')) }))
    expect(again.diff).toEqual([])

    revoked.length = 0
    await undo(client)
    expect(await readFile(file, 'utf8')).toBe(existing[client])
    expect([revoked, await everyFile()]).toEqual([['key-1'], [path.basename(file)]])
  })

  it('leaves nothing behind where nothing was', async () => {
    await install(request(client))
    await undo(client)
    expect(await everyFile()).toEqual([])
    await expect(undo(client)).rejects.toThrow(/was not installed/)
  })

  it('takes only its own entry out of a file that others changed since', async () => {
    const file = agentClients[client].file(place)
    await install(request(client))
    const text = await readFile(file, 'utf8')
    const more = client === 'codex' ? `${text}\n[profiles.fast]\nmodel = "m"\n` : JSON.stringify({ ...JSON.parse(text), added: true })
    await writeFile(file, more)
    await undo(client)
    const left = await readFile(file, 'utf8')
    expect(left).not.toContain('work-manager')
    expect(left).toContain(client === 'codex' ? '[profiles.fast]' : '"added": true')
  })
})

describe('what it does not touch', () => {
  it('a file that is not plain JSON', async () => {
    const file = agentClients.vscode.file(place)
    await mkdir(path.dirname(file), { recursive: true })
    await writeFile(file, '{ // mine\n "servers": {} }')
    await expect(install(request('vscode'))).rejects.toThrow(/cannot be changed safely/)
    expect(await everyFile()).toEqual(['mcp.json'])
  })

  it('a key file of the person’s own', async () => {
    const own = path.join(home, 'own.key')
    await writeFile(own, secret, { mode: 0o600 })
    const change = await install(request('cursor', { keyFile: own }))
    expect(change.key_file).toBe(own)
    await undo('cursor')
    expect(await readFile(own, 'utf8')).toBe(secret)
  })

  it('the person’s own configuration, when asked for the project’s', async () => {
    await install(request('cursor', { project: true }))
    expect(await readFile(path.join(place.cwd, '.cursor', 'mcp.json'), 'utf8')).toContain('work-manager')
    await expect(readFile(agentClients.cursor.file(place))).rejects.toThrow()
    await undo('cursor', { project: true })
    await expect(install(request('claude-desktop', { project: true }))).rejects.toThrow(/no configuration per project/)
  })
})

describe('where clients keep their files', () => {
  const at = (platform: NodeJS.Platform, env: Record<string, string> = {}) =>
    Object.fromEntries(clientNames.map((name) => [name, agentClients[name].file({ platform, home: '/h', env, cwd: '/p' })]))
  it('on Linux, macOS and Windows', () => {
    expect(at('linux')).toEqual({
      'claude-code': '/h/.claude.json',
      'claude-desktop': '/h/.config/Claude/claude_desktop_config.json',
      cursor: '/h/.cursor/mcp.json',
      vscode: '/h/.config/Code/User/mcp.json',
      codex: '/h/.codex/config.toml',
    })
    expect(at('darwin')['claude-desktop']).toBe('/h/Library/Application Support/Claude/claude_desktop_config.json')
    expect(at('darwin').vscode).toBe('/h/Library/Application Support/Code/User/mcp.json')
    expect(at('win32', { APPDATA: '/roaming' })['claude-desktop']).toBe('/roaming/Claude/claude_desktop_config.json')
    expect(at('linux', { CODEX_HOME: '/codex', CLAUDE_CONFIG_DIR: '/claude' })).toMatchObject({
      codex: '/codex/config.toml',
      'claude-code': '/claude/.claude.json',
    })
  })
})

it('a diff shows what changed with two lines around it', () => {
  expect(lineDiff('a\nb\nc\nd\ne\n', 'a\nb\nc\nX\nd\ne\n')).toEqual(['  b', '  c', '+ X', '  d', '  e'])
  expect(lineDiff('', 'a\n')).toEqual(['+ a'])
  expect(lineDiff('a\n', 'a\n')).toEqual([])
})

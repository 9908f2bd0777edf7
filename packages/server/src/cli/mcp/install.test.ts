import { mkdir, mkdtemp, readFile, readdir, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { agentClients, clientNames, type ClientName, type Place } from './agent-clients.ts'
import { lineDiff, withEntry, withoutEntry } from './config-text.ts'
import { readJsonc } from './jsonc-text.ts'
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
  vscode: '// mine\n{\n\t"inputs": [], // none\n\t"servers": {},\n}\n',
  codex: '# mine\nmodel = "o"\n\n[mcp_servers.other]\ncommand = "x"\nargs = [\n  "[a]",\n]\n\n[mcp_servers.other.env]\nA = "1"\n',
  gemini:
    '{\r\n  // dark\r\n  "ui": { "theme": "GitHub" },\r\n  "mcpServers": {\r\n    "other": { "command": "x", }, // trusted\r\n  },\r\n}\r\n',
  windsurf: '{ "mcpServers": { "other": { "command": "x" } } }',
  copilot: '{\n  "mcpServers": {\n    "other": { "command": "x" }\n  }\n}\n',
  opencode: '{\n  "$schema": "https://opencode.ai/config.json",\n  "mcp": {\n    "servers": {\n      /* off */\n    },\n  },\n}\n',
  zed: '// Zed settings\n//\n// see the docs\n{\n  "theme": "One Dark",\n  "context_servers": {\n    "other": { "command": "x" },\n  },\n}\n',
  cline: '{\n  "mcpServers": {\n  }\n}',
  'cline-cli': '{}',
  junie: '\uFEFF{"mcpServers": {"other": {"command": "x"}}}',
}

const readConfig = (text: string) => readJsonc(text.replace(/^\uFEFF/, ''))

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
    // Every line that was there is there, comments and commas with it.
    else if (existing[client].includes('\n  '))
      for (const line of existing[client].split('\n')) expect(text).toContain(line.trim().replace(/[\s,}]+$/, ''))
    if (existing[client].includes('"other"')) expect(JSON.stringify(readConfig(text))).toContain('"other":{"command":"x"}')

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
    const more = client === 'codex' ? `${text}\n[profiles.fast]\nmodel = "m"\n` : text.replace('{', '{\n  "added": true, // later\n')
    await writeFile(file, more)
    await undo(client)
    const left = await readFile(file, 'utf8')
    expect(left).not.toContain('work-manager')
    expect(left).toContain(client === 'codex' ? '[profiles.fast]' : '"added": true')
  })
})

describe('what it does not touch', () => {
  it('a file that nobody can read', async () => {
    for (const [client, text] of [
      ['vscode', '{ "servers": { } '],
      ['vscode', '{ "servers": [] }'],
      ['opencode', '{ "mcp": { "servers": 1 } }'],
      ['gemini', '["mcpServers"]'],
      ['codex', 'mcp_servers = "none"\n'],
      ['codex', '[mcp_servers\n'],
    ] as const) {
      const file = agentClients[client].file(place)
      await mkdir(path.dirname(file), { recursive: true })
      await writeFile(file, text)
      await expect(install(request(client)), text).rejects.toThrow(/cannot be changed safely/)
      expect(await readFile(file, 'utf8')).toBe(text)
    }
    expect((await everyFile()).toSorted()).toEqual(['config.toml', 'mcp.json', 'opencode.json', 'settings.json'])
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

describe('files as people write them', () => {
  const entry = { command: 'node', args: ['mcp'] }
  const vscode = agentClients.vscode
  it.each([
    '{}',
    '',
    '// only a comment',
    '{ "servers": { "work-manager": { "command": "old" }, "b": 1 } }',
    '{ "servers": { "a": 1, /* why */ "work-manager": { "command": "old" } } }',
    '{\n  "servers": {\n    "work-manager": { "command": "old" }, // ours\n  },\n}',
    '{\n  "servers": {\n    "a": {},\n    "work-manager": {}\n  }\n}\n',
    '{\n\t"servers": {\n\t\t"a": {}, // one\n\t\t/* two */\n\t},\n}\n',
  ])('JSON with comments: %j', (text) => {
    const comments = text.match(/\/\/.*|\/\*.*?\*\//g) ?? []
    const put = withEntry(vscode, text, entry)
    expect(readConfig(put)).toMatchObject({ servers: { 'work-manager': entry } })
    for (const comment of comments) expect(put).toContain(comment)
    const taken = withoutEntry(vscode, put)
    const { servers } = readConfig(taken) as { servers: object }
    expect(servers).not.toHaveProperty('work-manager')
    expect(Object.keys(servers)).toEqual(
      Object.keys((readConfig(text)['servers'] as object | undefined) ?? {}).filter((name) => name !== 'work-manager'),
    )
    for (const comment of comments.filter((one) => !one.includes('ours'))) expect(taken).toContain(comment)
    expect(withoutEntry(vscode, taken)).toBe(taken)
  })

  it.each([
    'mcp_servers = { other = { command = "x" } } # mine\n',
    'mcp_servers.other.command = "x" # mine\n',
    '[mcp_servers]\nother = { command = "x" } # mine\n',
    '# mine\n[mcp_servers]\nwork-manager = { command = "old" }\nother = { command = "x" }\n',
    '[mcp_servers."work-manager"]\ncommand = "old"\n\n# mine\n[profiles.fast]\nsince = 2020-01-01\n',
  ])('TOML in every spelling: %j', (text) => {
    const put = withEntry(agentClients.codex, text, entry)
    expect(put).toContain('# mine')
    // A comma before a brace is TOML of another version than most readers know.
    expect(put).not.toMatch(/,\s*\}/)
    const taken = withoutEntry(agentClients.codex, put)
    expect(taken).not.toContain('work-manager')
    expect(taken).toContain('# mine')
    expect(withEntry(agentClients.codex, taken, entry)).toContain('work-manager')
  })

  it('OpenCode in the way of its file: servers directly under mcp, or in mcp.servers', async () => {
    const { opencode } = agentClients
    const flat = '{ "mcp": { "other": { "type": "local", "command": ["x"], "enabled": true } } }'
    expect(readConfig(withEntry(opencode, flat, { type: 'local' }))).toMatchObject({
      mcp: { other: {}, 'work-manager': { type: 'local' } },
    })
    expect(readConfig(withEntry(opencode, '', { type: 'local' }))).toEqual({ mcp: { servers: { 'work-manager': { type: 'local' } } } })
    const file = opencode.file(place).replace('.json', '.jsonc')
    await mkdir(path.dirname(file), { recursive: true })
    await writeFile(file, '{ /* mine */ }')
    expect((await install(request('opencode'))).file).toBe(file)
    await undo('opencode')
    expect(await readFile(file, 'utf8')).toBe('{ /* mine */ }')
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
      gemini: '/h/.gemini/settings.json',
      windsurf: '/h/.codeium/windsurf/mcp_config.json',
      copilot: '/h/.copilot/mcp-config.json',
      opencode: '/h/.config/opencode/opencode.json',
      zed: '/h/.config/zed/settings.json',
      cline: '/h/.config/Code/User/globalStorage/saoudrizwan.claude-dev/settings/cline_mcp_settings.json',
      'cline-cli': '/h/.cline/data/settings/cline_mcp_settings.json',
      junie: '/h/.junie/mcp/mcp.json',
    })
    expect(at('darwin')['claude-desktop']).toBe('/h/Library/Application Support/Claude/claude_desktop_config.json')
    expect(at('darwin').vscode).toBe('/h/Library/Application Support/Code/User/mcp.json')
    expect(at('darwin').zed).toBe('/h/.config/zed/settings.json')
    expect(at('win32', { APPDATA: '/roaming' }).zed).toBe('/roaming/Zed/settings.json')
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

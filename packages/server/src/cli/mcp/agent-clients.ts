/** The MCP clients that `mcp install` knows: where each keeps its configuration, and how it writes a server down. */
import path from 'node:path'
import { homedir } from 'node:os'

export const clientNames = [
  'claude-code',
  'claude-desktop',
  'cursor',
  'vscode',
  'codex',
  'gemini',
  'windsurf',
  'copilot',
  'opencode',
  'zed',
  'cline',
  'cline-cli',
  'junie',
] as const
export type ClientName = (typeof clientNames)[number]

/** Where paths start. */
export interface Place {
  readonly platform: NodeJS.Platform
  readonly home: string
  readonly env: Readonly<Record<string, string | undefined>>
  readonly cwd: string
}

export interface ServerEntry {
  readonly command: string
  readonly args: readonly string[]
}

export interface AgentClient {
  readonly title: string
  readonly format: 'json' | 'toml'
  /** The member, or table, that holds the servers; `config` reads the file that is there, for those who have had two ways. */
  servers(config: () => Readonly<Record<string, unknown>>): readonly string[]
  /** The person's own file. */
  file(place: Place): string
  /** Other names of the file, which come first where they are there. */
  readonly otherNames?: readonly string[]
  /** The file of the project in the working directory, where the client has one. */
  projectFile?(place: Place): string
  entry(server: ServerEntry): Record<string, unknown>
  /** What to do so that it is seen. */
  readonly afterwards: string
}

/** The directory for applications' settings, as each system has it. */
function settings(place: Place): string {
  if (place.platform === 'darwin') return path.join(place.home, 'Library', 'Application Support')
  if (place.platform === 'win32') return place.env['APPDATA'] ?? path.join(place.home, 'AppData', 'Roaming')
  return place.env['XDG_CONFIG_HOME'] ?? path.join(place.home, '.config')
}

const mcpServers = (): readonly string[] => ['mcpServers']
const plain = ({ command, args }: ServerEntry): Record<string, unknown> => ({ command, args: [...args] })
const typed = (server: ServerEntry): Record<string, unknown> => ({ type: 'stdio', ...plain(server) })

export const agentClients: Readonly<Record<ClientName, AgentClient>> = {
  'claude-code': {
    title: 'Claude Code',
    format: 'json',
    servers: mcpServers,
    file: (place) => path.join(place.env['CLAUDE_CONFIG_DIR'] ?? place.home, '.claude.json'),
    projectFile: (place) => path.join(place.cwd, '.mcp.json'),
    entry: typed,
    afterwards: 'Start a new session; /mcp shows work-manager.',
  },
  'claude-desktop': {
    title: 'Claude Desktop',
    format: 'json',
    servers: mcpServers,
    file: (place) => path.join(settings(place), 'Claude', 'claude_desktop_config.json'),
    entry: plain,
    afterwards: 'Quit Claude Desktop and start it again.',
  },
  cursor: {
    title: 'Cursor',
    format: 'json',
    servers: mcpServers,
    file: (place) => path.join(place.home, '.cursor', 'mcp.json'),
    projectFile: (place) => path.join(place.cwd, '.cursor', 'mcp.json'),
    entry: plain,
    afterwards: 'Open the settings, Tools & MCP, and switch work-manager on.',
  },
  vscode: {
    title: 'VS Code',
    format: 'json',
    servers: () => ['servers'],
    file: (place) => path.join(settings(place), 'Code', 'User', 'mcp.json'),
    projectFile: (place) => path.join(place.cwd, '.vscode', 'mcp.json'),
    entry: typed,
    afterwards: 'Run the command "MCP: List Servers" and start work-manager.',
  },
  codex: {
    title: 'Codex',
    format: 'toml',
    servers: () => ['mcp_servers'],
    file: (place) => path.join(place.env['CODEX_HOME'] ?? path.join(place.home, '.codex'), 'config.toml'),
    projectFile: (place) => path.join(place.cwd, '.codex', 'config.toml'),
    entry: plain,
    afterwards: 'Start a new session; `codex mcp list` shows work-manager.',
  },
  gemini: {
    title: 'Gemini CLI',
    format: 'json',
    servers: mcpServers,
    file: (place) => path.join(place.home, '.gemini', 'settings.json'),
    projectFile: (place) => path.join(place.cwd, '.gemini', 'settings.json'),
    entry: plain,
    afterwards: 'Start it again; /mcp shows work-manager.',
  },
  windsurf: {
    title: 'Windsurf',
    format: 'json',
    servers: mcpServers,
    file: (place) => path.join(place.home, '.codeium', 'windsurf', 'mcp_config.json'),
    entry: plain,
    afterwards: 'Open the MCP panel of Cascade and press refresh.',
  },
  copilot: {
    title: 'GitHub Copilot CLI',
    format: 'json',
    servers: mcpServers,
    file: (place) => path.join(place.env['COPILOT_HOME'] ?? path.join(place.home, '.copilot'), 'mcp-config.json'),
    projectFile: (place) => path.join(place.cwd, '.github', 'mcp.json'),
    entry: (server) => ({ type: 'local', ...plain(server), tools: ['*'] }),
    afterwards: 'Start a new session; /mcp show lists work-manager.',
  },
  opencode: {
    title: 'OpenCode',
    format: 'json',
    // Version 1 has the servers directly under `mcp`, and says what each is; version 2 reads both, and writes `mcp.servers`.
    servers: (config) => (isFlat(config()['mcp']) ? ['mcp'] : ['mcp', 'servers']),
    file: (place) => path.join(place.env['XDG_CONFIG_HOME'] ?? path.join(place.home, '.config'), 'opencode', 'opencode.json'),
    otherNames: ['opencode.jsonc'],
    projectFile: (place) => path.join(place.cwd, 'opencode.json'),
    entry: ({ command, args }) => ({ type: 'local', command: [command, ...args] }),
    afterwards: 'Start it again; `opencode mcp list` shows work-manager.',
  },
  zed: {
    title: 'Zed',
    format: 'json',
    servers: () => ['context_servers'],
    file: (place) =>
      place.platform === 'win32'
        ? path.join(settings(place), 'Zed', 'settings.json')
        : path.join(
            (place.platform === 'linux' && place.env['XDG_CONFIG_HOME']) || path.join(place.home, '.config'),
            'zed',
            'settings.json',
          ),
    projectFile: (place) => path.join(place.cwd, '.zed', 'settings.json'),
    entry: (server) => ({ ...plain(server), env: {} }),
    afterwards: 'Open the settings of the agent panel; the dot beside work-manager turns green.',
  },
  cline: {
    title: 'Cline (VS Code)',
    format: 'json',
    servers: mcpServers,
    file: (place) =>
      path.join(settings(place), 'Code', 'User', 'globalStorage', 'saoudrizwan.claude-dev', 'settings', 'cline_mcp_settings.json'),
    entry: plain,
    afterwards: 'Open the MCP Servers panel of Cline; it reads the file by itself.',
  },
  'cline-cli': {
    title: 'Cline CLI',
    format: 'json',
    servers: mcpServers,
    file: (place) => path.join(place.env['CLINE_DIR'] ?? path.join(place.home, '.cline'), 'data', 'settings', 'cline_mcp_settings.json'),
    entry: plain,
    afterwards: 'Start a new session.',
  },
  junie: {
    title: 'Junie (JetBrains)',
    format: 'json',
    servers: mcpServers,
    file: (place) => path.join(place.home, '.junie', 'mcp', 'mcp.json'),
    projectFile: (place) => path.join(place.cwd, '.junie', 'mcp', 'mcp.json'),
    entry: plain,
    afterwards: 'Open Settings, Tools, Junie, MCP Settings; work-manager is listed there.',
  },
}

/** True when servers stand directly in it: they say what they are, a map of servers does not. */
const isFlat = (mcp: unknown): boolean =>
  typeof mcp === 'object' &&
  mcp !== null &&
  Object.values(mcp).some((one) => typeof one === 'object' && one !== null && ('type' in one || 'enabled' in one))

/** Where we are. */
export function placeOf(env: Place['env'], cwd: string): Place {
  return { platform: process.platform, home: env['HOME'] ?? env['USERPROFILE'] ?? homedir(), env, cwd }
}

/** Where what `mcp install` did is remembered, and the keys that it made are kept. */
export const installDirectory = (place: Place): string => path.join(settings(place), 'work-manager', 'mcp')

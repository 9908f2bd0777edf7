/** The MCP clients that `mcp install` knows: where each keeps its configuration, and how it writes a server down. */
import path from 'node:path'
import { homedir } from 'node:os'

export const clientNames = ['claude-code', 'claude-desktop', 'cursor', 'vscode', 'codex'] as const
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
  /** The member, or table, that holds the servers. */
  readonly servers: string
  /** The person's own file. */
  file(place: Place): string
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

const plain = ({ command, args }: ServerEntry): Record<string, unknown> => ({ command, args: [...args] })
const typed = (server: ServerEntry): Record<string, unknown> => ({ type: 'stdio', ...plain(server) })

export const agentClients: Readonly<Record<ClientName, AgentClient>> = {
  'claude-code': {
    title: 'Claude Code',
    format: 'json',
    servers: 'mcpServers',
    file: (place) => path.join(place.env['CLAUDE_CONFIG_DIR'] ?? place.home, '.claude.json'),
    projectFile: (place) => path.join(place.cwd, '.mcp.json'),
    entry: typed,
    afterwards: 'Start a new session; /mcp shows work-manager.',
  },
  'claude-desktop': {
    title: 'Claude Desktop',
    format: 'json',
    servers: 'mcpServers',
    file: (place) => path.join(settings(place), 'Claude', 'claude_desktop_config.json'),
    entry: plain,
    afterwards: 'Quit Claude Desktop and start it again.',
  },
  cursor: {
    title: 'Cursor',
    format: 'json',
    servers: 'mcpServers',
    file: (place) => path.join(place.home, '.cursor', 'mcp.json'),
    projectFile: (place) => path.join(place.cwd, '.cursor', 'mcp.json'),
    entry: plain,
    afterwards: 'Open the settings, Tools & MCP, and switch work-manager on.',
  },
  vscode: {
    title: 'VS Code',
    format: 'json',
    servers: 'servers',
    file: (place) => path.join(settings(place), 'Code', 'User', 'mcp.json'),
    projectFile: (place) => path.join(place.cwd, '.vscode', 'mcp.json'),
    entry: typed,
    afterwards: 'Run the command "MCP: List Servers" and start work-manager.',
  },
  codex: {
    title: 'Codex',
    format: 'toml',
    servers: 'mcp_servers',
    file: (place) => path.join(place.env['CODEX_HOME'] ?? path.join(place.home, '.codex'), 'config.toml'),
    projectFile: (place) => path.join(place.cwd, '.codex', 'config.toml'),
    entry: plain,
    afterwards: 'Start a new session; `codex mcp list` shows work-manager.',
  },
}

/** Where we are. */
export function placeOf(env: Place['env'], cwd: string): Place {
  return { platform: process.platform, home: env['HOME'] ?? env['USERPROFILE'] ?? homedir(), env, cwd }
}

/** Where what `mcp install` did is remembered, and the keys that it made are kept. */
export const installDirectory = (place: Place): string => path.join(settings(place), 'work-manager', 'mcp')

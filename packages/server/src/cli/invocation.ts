/** How the person at this terminal calls us: what a hint says can be typed as it stands. */
import { accessSync, constants, existsSync } from 'node:fs'
import path from 'node:path'
import { fileURLToPath } from 'node:url'

const bin = fileURLToPath(new URL('../../bin/work-manager.mjs', import.meta.url))
const name = 'work-manager'

/**
 * `work-manager` where the shell finds it, `npx work-manager` where it is installed in the project around `cwd`, else Node and our file.
 * What npx and npm put on the path for their child alone does not count.
 */
export function invocation(env: Readonly<Record<string, string | undefined>>, cwd: string): string {
  const folders = (env.PATH ?? '')
    .split(path.delimiter)
    .filter((folder) => folder !== '' && !folder.endsWith(path.join('node_modules', '.bin')))
  if (folders.some((folder) => isProgram(path.join(folder, name)))) return name
  for (let folder = cwd; ; folder = path.dirname(folder)) {
    if (existsSync(path.join(folder, 'node_modules', '.bin', name))) return `npx ${name}`
    if (folder === path.dirname(folder))
      return `${folders.some((each) => path.join(each, 'node') === process.execPath) ? 'node' : quoted(process.execPath)} ${quoted(bin)}`
  }
}

const quoted = (file: string): string => (/^[\w./:\\-]+$/.test(file) ? file : `'${file}'`)

function isProgram(file: string): boolean {
  try {
    accessSync(file, constants.X_OK)
    return true
  } catch {
    return false
  }
}

/** Texts say `work-manager <command>`, with npx or without; `as` is what stands there instead. */
export const spelled = (text: string, commands: RegExp, as: string): string =>
  text.replace(commands, (_, command: string) => `${as} ${command}`)

/** Finds our commands in a text: the name alone, as in work-manager.config.json, is none. */
export const commandPattern = (commands: readonly string[]): RegExp =>
  new RegExp(String.raw`(?<![\w./@-]|usage: )(?:npx )?${name} ((?:${commands.join('|')}|--help|-h|<command>)(?![\w.-]))`, 'g')

/**
 * Judges a PostgreSQL connection string by its parts. The messages name the part that is wrong and never repeat the text, because
 * the password may be anywhere in it once an unescaped character has shifted the parts.
 */
const shape = /^([a-z][a-z0-9+.-]*):\/\/([^/?#]*)(\/[^?#]*)?(\?[^#]*)?(#.*)?$/i
const example = 'postgres://user:password@host:5432/database'

/** What is wrong with it, or nothing. */
export function databaseUrlProblems(url: string): string[] {
  const match = shape.exec(url)
  if (match === null) return [`is not a connection string; write ${example}`]
  const [, scheme, authority = '', path = '', query = '', fragment] = match
  const problems: string[] = []
  if (!['postgres', 'postgresql'].includes(String(scheme).toLowerCase()))
    problems.push(`has the scheme ${String(scheme).toLowerCase()}: only PostgreSQL is supported (postgres://…)`)
  const at = authority.lastIndexOf('@')
  const user = at < 0 ? '' : authority.slice(0, at)
  if (user.includes('@')) problems.push('has an @ inside the user name or password: write it as %40')
  else if (fragment !== undefined) problems.push('has a # inside: in a password, write it as %23')
  else if (user === '' && authority.includes(':') && !/:\d*$/.test(authority))
    problems.push('has a / or ? inside the password: write them as %2F and %3F')
  else problems.push(...hostProblems(authority.slice(at + 1), query))
  if (problems.length === 0 && path.replace(/^\/+/, '') === '') problems.push(`names no database: put it after the host, as in ${example}`)
  if (/%(?![0-9a-f]{2})/i.test(authority + path))
    problems.push('has a % that is not followed by two hexadecimal digits: write a plain % as %25')
  return problems
}

function hostProblems(host: string, query: string): string[] {
  if (host === '') return /[?&]host=[^&]/.test(query) ? [] : [`names no host; write ${example}, or ?host=/directory for a Unix socket`]
  const [, name = '', port] = /^(\[[^\]]*\]|[^:]*)(?::(.*))?$/.exec(host) ?? []
  if (name === '') return [`names no host; write ${example}`]
  if (port !== undefined && !(/^\d{1,5}$/.test(port) && Number(port) >= 1 && Number(port) <= 65535))
    return ['has a port that is not a number from 1 to 65535']
  return []
}

/** True when the text holds a password, so that files with it must be private. */
export function holdsPassword(url: string): boolean {
  return /^[a-z][a-z0-9+.-]*:\/\/[^/?#@]*:[^@]+@/i.test(url) || /[?&]password=[^&]/i.test(url)
}

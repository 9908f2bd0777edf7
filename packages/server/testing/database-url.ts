/** The same connection to another database. Connection strings over Unix sockets have no host, so WHATWG URLs cannot be used. */
export function onDatabase(url: string, database: string): string {
  const match = /^(postgres(?:ql)?:\/\/[^/]*\/)([^?]*)(.*)$/.exec(url)
  if (!match) throw new Error('not a PostgreSQL URL')
  return `${match[1]}${database}${match[3]}`
}

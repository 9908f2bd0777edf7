/**
 * Takes secrets out of log lines, whatever way they came in: as a member with a telling name, as the value of a secret setting inside any
 * text (messages, causes, stacks, headers), or as something that looks like a credential. Works on the finished line, so that no caller
 * has to remember it; a line costs some microseconds, and there is none per request.
 */
export interface Redactor {
  /** A value that must not be seen; of a URL also its password. */
  learn(secret: string | undefined): void
  /** Names of members whose values must not be seen, such as the secret fields of an order type. */
  learnFields(names: Iterable<string>): void
  line(json: string): string
}

const hidden = '[redacted]'
/** A value as short as this would take innocent words away with it; where it stands as a credential the patterns see it. */
const shortestValue = 6

const fieldNames = [
  ...['authorization', 'proxy-authorization', 'cookie', 'set-cookie', 'password', 'passwd', 'pwd', 'passphrase', 'secret', 'client_secret'],
  ...['token', 'lease_token', 'access_token', 'refresh_token', 'id_token', 'api_key', 'x-api-key', 'access_key', 'private_key'],
]
/** Without case and separators: `leaseToken`, `lease_token` and `Lease-Token` are one name. */
const plainName = (name: string): string => name.toLowerCase().replaceAll(/[-_]/g, '')
const inPattern = (name: string): string => Array.from(name).join('[-_]?')

/** What looks like a credential wherever it stands. The prefix of a key stays: it names the key in lists. */
const credentials: ReadonlyArray<readonly [RegExp, string]> = [
  [/\b(wm_[a-z]_[0-9a-z]{4,16})_[A-Za-z0-9_-]{8,}/g, `$1_${hidden}`],
  [/\b(wl\.\d+\.\d+)\.[A-Za-z0-9_-]+/g, `$1.${hidden}`],
  [/\b(Bearer|Basic|Digest|Negotiate)\s+[A-Za-z0-9._~+/=:-]{4,}/gi, `$1 ${hidden}`],
  // user:password@ of a connection string, with or without a user.
  [/([a-z][a-z0-9+.-]*:\/\/[^\s:/@"'?#]*):[^\s/"'?#]+@/gi, `$1:${hidden}@`],
  [/-----BEGIN [A-Z ]*PRIVATE KEY-----[\s\S]*?(?:-----END [A-Z ]*PRIVATE KEY-----|$)/g, hidden],
]

const decoded = (text: string): string => {
  try {
    return decodeURIComponent(text)
  } catch {
    return text
  }
}

/** The ways in which a value may stand in a text. */
function formsOf(value: string): string[] {
  const base64 = Buffer.from(value).toString('base64')
  return [value, JSON.stringify(value).slice(1, -1), encodeURIComponent(value), decoded(value), base64, base64.replace(/=+$/, '')]
}

function partsOfUrl(secret: string): string[] {
  if (!URL.canParse(secret)) return []
  const { password, username } = new URL(secret)
  return password === '' ? [] : [password, decoded(password), `${username}:${password}`]
}

export function createRedactor(): Redactor {
  const fields = new Set(fieldNames.map(plainName))
  const values = new Set<string>()
  let valuePattern: RegExp | null = null
  let memberPattern: RegExp
  let parameterPattern: RegExp

  function compile(): void {
    const names = [...fields].map(inPattern).join('|')
    // A member of JSON or of an inspected object inside a text, with its quotes.
    memberPattern = new RegExp(
      String.raw`(["']?\b(?:${names})\b["']?\s*:\s*)(?:"(?:[^"\\]|\\.)*"?|'(?:[^'\\]|\\.)*'?|-?\d[\d.eE+-]*)`,
      'gi',
    )
    parameterPattern = new RegExp(String.raw`\b((?:${names})=)(?:"[^"]*"|'[^']*'|[^\s&;,"')\]}]+)`, 'gi')
    const sorted = [...values].toSorted((a, b) => b.length - a.length)
    valuePattern =
      sorted.length === 0
        ? null
        : new RegExp(sorted.map((value) => value.replaceAll(/[$()*+.?[\\\]^{|}]/g, String.raw`\$&`)).join('|'), 'g')
  }
  compile()

  function text(original: string): string {
    let clean = valuePattern ? original.replace(valuePattern, hidden) : original
    for (const [pattern, by] of credentials) clean = clean.replace(pattern, by)
    return clean.replace(memberPattern, `$1"${hidden}"`).replace(parameterPattern, `$1${hidden}`)
  }

  function walk(value: unknown): unknown {
    if (typeof value === 'string') return text(value)
    if (Array.isArray(value)) return value.map(walk)
    if (typeof value !== 'object' || value === null) return value
    return Object.fromEntries(
      Object.entries(value).map(([name, member]) => [
        text(name),
        fields.has(plainName(name)) && member !== null && typeof member !== 'boolean' ? hidden : walk(member),
      ]),
    )
  }

  return {
    learn(secret) {
      if (secret === undefined) return
      for (const part of [secret, ...partsOfUrl(secret)])
        for (const form of formsOf(part)) if (form.length >= shortestValue) values.add(form)
      compile()
    },
    learnFields(names) {
      for (const name of names) fields.add(plainName(name))
      compile()
    },
    line(json) {
      let parsed: unknown
      try {
        parsed = JSON.parse(json)
      } catch {
        // Not a line of JSON: the text as a whole.
        return text(json)
      }
      return `${JSON.stringify(walk(parsed))}\n`
    },
  }
}

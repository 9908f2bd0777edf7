/** Lua scripts: sent by their digest, and whole when Redis does not know them (it was restarted, or its scripts were flushed). */
import { createHash } from 'node:crypto'
import type { RedisClient } from './connection.ts'

export interface RedisScript {
  readonly source: string
  readonly sha: string
}

export const defineScript = (source: string): RedisScript => ({ source, sha: createHash('sha1').update(source).digest('hex') })

/** Runs the script as one step of Redis; nobody sees a state in between. The caller knows what it answers. */
export async function runScript<Answer>(
  client: RedisClient,
  script: RedisScript,
  keys: readonly string[],
  values: readonly string[],
): Promise<Answer> {
  const options = { keys: keys as string[], arguments: values as string[] }
  try {
    return (await client.evalSha(script.sha, options)) as Answer
  } catch (error) {
    if (!(error instanceof Error) || !error.message.startsWith('NOSCRIPT')) throw error
    return (await client.eval(script.source, options)) as Answer
  }
}

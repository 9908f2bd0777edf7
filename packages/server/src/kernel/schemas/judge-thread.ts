/** What the thread for large documents does: schemas and values come as text, verdicts and digests go back. */
import { hash } from 'node:crypto'
import { parentPort } from 'node:worker_threads'
import type { FieldError } from '@work-manager/contract'
import { canonicalJson } from '../canonical-json.ts'
import { createJudge, type JsonSchemaJudge, judgeWithin, mostSteps } from './json-schema-judge.ts'
import type { JsonSchema } from './keywords.ts'

export type JudgeQuestion = { readonly id: number } & (ToJudge | { readonly digest: string })
interface ToJudge {
  /** Of the schema; its text comes along the first time only. */
  readonly key: string
  readonly schema: string | null
  readonly value: string
}
export interface JudgeVerdict {
  readonly id: number
  readonly findings?: readonly FieldError[]
  /** SHA-256 of the canonical form, in hexadecimal digits. */
  readonly digest?: string
  /** The judge broke. */
  readonly error?: string
}

const judges = new Map<string, JsonSchemaJudge>()

parentPort?.on('message', (question: JudgeQuestion) => {
  const { id } = question
  // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a thread, not a window
  const answer = (verdict: JudgeVerdict): void => parentPort!.postMessage(verdict)
  try {
    if ('digest' in question) {
      answer({ id, digest: hash('sha256', canonicalJson(JSON.parse(question.digest)), 'hex') })
      return
    }
    const { key, schema, value } = question
    if (schema !== null) judges.set(key, createJudge(JSON.parse(schema) as JsonSchema))
    answer({ id, findings: judgeWithin(judges.get(key)!, JSON.parse(value), mostSteps) })
  } catch (error) {
    answer({ id, error: error instanceof Error ? `${error.name}: ${error.message}` : String(error) })
  }
})

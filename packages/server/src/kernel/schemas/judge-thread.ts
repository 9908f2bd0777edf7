/** What the judge thread does: schemas and values come as text, verdicts go back. */
import { parentPort } from 'node:worker_threads'
import type { FieldError } from '@work-manager/contract'
import { createJudge, type JsonSchemaJudge, judgeWithin, mostSteps } from './json-schema-judge.ts'
import type { JsonSchema } from './keywords.ts'

export interface JudgeQuestion {
  readonly id: number
  /** Of the schema; its text comes along the first time only. */
  readonly key: string
  readonly schema: string | null
  readonly value: string
}
export interface JudgeVerdict {
  readonly id: number
  readonly findings: readonly FieldError[] | null
  /** The judge broke. */
  readonly error?: string
}

const judges = new Map<string, JsonSchemaJudge>()

parentPort?.on('message', ({ id, key, schema, value }: JudgeQuestion) => {
  // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a thread, not a window
  const answer = (verdict: JudgeVerdict): void => parentPort!.postMessage(verdict)
  try {
    if (schema !== null) judges.set(key, createJudge(JSON.parse(schema) as JsonSchema))
    answer({ id, findings: judgeWithin(judges.get(key)!, JSON.parse(value), mostSteps) })
  } catch (error) {
    answer({ id, findings: null, error: error instanceof Error ? `${error.name}: ${error.message}` : String(error) })
  }
})

/** One compiled JSON Schema and what it says of values, within a number of steps. Runs on the main thread and on the judge thread. */
import type { FieldError } from '@work-manager/contract'
import { compileJudge, type MoreChecks } from './compile-schema.ts'
import { fromProblems, tooCostly } from './field-errors.ts'
import { type Node, OutOfSteps, Run } from './judge.ts'
import type { JsonSchema } from './keywords.ts'

/** What is judged at once, on the thread that serves everybody: about 10 ms. What takes more goes to the judge thread. */
export const stepsAtOnce = 50_000
/** What is judged at all: a second or two of the judge thread. A megabyte of ordinary JSON takes a tenth of it. */
export const mostSteps = 5_000_000

export interface JsonSchemaJudge {
  /** Refuses with: OutOfSteps. */
  judge(value: unknown, steps: number): readonly FieldError[]
}

export function createJudge(schema: JsonSchema, more?: MoreChecks): JsonSchemaJudge {
  const root: Node = compileJudge(schema, more)
  return {
    judge(value, steps) {
      if (new Run(root, { steps }).judge(root, value, null)) return []
      // Again, to say what is wrong: most values fit, and a list of reasons costs more than a no.
      const told = new Run(root, { steps, explain: true })
      told.judge(root, value, null)
      return fromProblems(told.problems!, value)
    },
  }
}

/** The same with the last word: what takes more steps than there are is refused. */
export function judgeWithin(judge: JsonSchemaJudge, value: unknown, steps: number): readonly FieldError[] {
  try {
    return judge.judge(value, steps)
  } catch (error) {
    if (error instanceof OutOfSteps) return [tooCostly()]
    throw error
  }
}

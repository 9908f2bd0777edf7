/**
 * Refusals and advice in the words of whoever calls tools: what HTTP names by route, query and header, an agent knows by tool and
 * argument. The catalogue's rows say it themselves where another word is not enough (`tools`).
 */
import { type ErrorSpec, errorCatalogue, type Problem, toProblem, type WorkError } from '@work-manager/contract'
import type { Operation } from '../../kernel/operations/operation.ts'

export type Words = (text: string) => string

const names: ReadonlyArray<readonly [RegExp, string]> = [
  [/Idempotency-Key: <a new UUID>/g, 'idempotency_key: a new UUID'],
  [/\b(?:X-)?Idempotency-Key\b/g, 'idempotency_key'],
  [/\?wait=(\d+)/g, 'wait: $1'],
  [/\?wait=/g, 'wait'],
  [/\bRetry-After\b/g, 'retry_after_seconds'],
  [/\bX-Correlation-ID\b/g, 'dev.workmanager/correlation-id in _meta'],
  [/\bX-Session-Key\b/g, 'dev.workmanager/session-key in _meta'],
  [/\bX-Agent-ID\b/g, 'agent_id'],
  [/\bfilter\[(\w+)\]=/g, '$1: '],
  [/\bfields\[(\w+)\]=/g, '$1: '],
  [/\bfilter\[(\w+)\]/g, 'filter.$1'],
  [/\bpage\[(\w+)\]/g, 'page.$1'],
]

/** Made once, from the operations: their routes by tool, or by command where agents have no tool for it. */
export function toolWords(operations: readonly Operation[]): Words {
  const callable = new Map<string, { readonly text: string; readonly isTool: boolean }>()
  for (const { http, tool, command } of operations)
    for (const path of [http.path, ...(http.aliases ?? [])])
      callable.set(
        `${http.method} ${path.replaceAll(/:(\w+)/g, '{$1}')}`,
        typeof tool === 'string' ? { text: `npx work-manager ${command.words}`, isTool: false } : { text: tool.name, isTool: true },
      )
  return (text) => {
    let said = text.replaceAll(
      /(,? or )?\b(GET|POST) (\/[\w/{}-]*)(?:\?[^\s;,.)]*)?/g,
      (whole, or: string | undefined, method: string, path: string) => {
        const found = callable.get(`${method} ${path}`)
        if (!found) return whole
        // "work-manager resume, or POST …": for an agent the second half is the first once more.
        return or !== undefined && !found.isTool ? '' : `${or ?? ''}${found.text}`
      },
    )
    for (const [pattern, word] of names) said = said.replaceAll(pattern, word)
    return said
  }
}

/** The problem object of every door, its sentences in these words. */
export function problemInWords(error: WorkError, requestId: string, words: Words): Problem {
  const { tools }: Pick<ErrorSpec, 'tools'> = errorCatalogue[error.code]
  const problem = toProblem(error, requestId)
  const title = tools?.title ?? words(problem.title)
  const detail = error.details.detail === undefined ? title : words(problem.detail)
  const { retryAfterSeconds } = error.details
  return {
    ...problem,
    title,
    detail,
    fix: error.details.fix === undefined && tools?.fix !== undefined ? tools.fix : words(problem.fix),
    message: detail,
    error: { ...problem.error, message: detail },
    ...(retryAfterSeconds === undefined ? {} : { retry_after_seconds: retryAfterSeconds }),
  }
}

/**
 * The way to the judge thread: large values are judged there one after the other, while the thread that serves everybody goes on. The
 * thread starts with the first one, and again when it ends; a line that is too long refuses newcomers.
 */
import { Worker } from 'node:worker_threads'
import { type FieldError, WorkError } from '@work-manager/contract'
import type { JudgeQuestion, JudgeVerdict } from './judge-thread.ts'

const script = new URL(import.meta.url.endsWith('.ts') ? './judge-thread.ts' : './judge-thread.js', import.meta.url)
/** At a second each, whoever comes last waits a quarter of a minute. */
const longestLine = 16
/** Of the thread, beside the heap of the process. */
const heapMebibytes = 192

interface Waiting {
  /** Made when it is asked: the schema goes along with the first question only. */
  readonly ask: (known: Set<string>) => Record<string, string | null>
  readonly answered: (verdict: JudgeVerdict) => void
  readonly reject: (error: Error) => void
}

export class JudgeLine {
  private line: Waiting[] = []
  private current: Waiting | null = null
  private worker: Worker | null = null
  private known = new Set<string>()
  private asked = 0

  /** How many values were judged here. */
  get judged(): number {
    return this.asked
  }

  /** Refuses with: busy, when too many wait. */
  judge(key: string, schema: string, value: string): Promise<readonly FieldError[]> {
    return this.stand<readonly FieldError[]>(
      (known) => {
        const isKnown = known.has(key)
        known.add(key)
        return { key, schema: isKnown ? null : schema, value }
      },
      ({ findings }) => findings,
    )
  }

  /** SHA-256 over the canonical form of a JSON text, in hexadecimal digits. Refuses with: busy. */
  digest(json: string): Promise<string> {
    return this.stand<string>(
      () => ({ digest: json }),
      ({ digest }) => digest,
    )
  }

  private stand<Answer>(ask: Waiting['ask'], answerOf: (verdict: JudgeVerdict) => Answer | undefined): Promise<Answer> {
    if (this.line.length >= longestLine)
      throw new WorkError('busy', {
        detail: 'Too many large documents wait to be checked against their schemas. Nothing was done.',
        retryAfterSeconds: 5,
      })
    return new Promise((resolve, reject) => {
      const answered = (verdict: JudgeVerdict): void => {
        const answer = answerOf(verdict)
        if (answer === undefined) reject(new Error(`the judge thread broke: ${verdict.error}`))
        else resolve(answer)
      }
      this.line.push({ ask, answered, reject })
      this.next()
    })
  }

  /** Ends the thread; whoever is being judged hears of it, and the next starts another. */
  async endThread(): Promise<void> {
    await this.worker?.terminate()
  }

  private next(): void {
    if (this.current) return
    const one = this.line.shift()
    // An idle thread keeps no process alive.
    if (!one) {
      this.worker?.unref()
      return
    }
    this.current = one
    const worker = (this.worker ??= this.start())
    worker.ref()
    this.asked++
    const question = { id: this.asked, ...one.ask(this.known) } as JudgeQuestion
    // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a thread, not a window
    worker.postMessage(question)
  }

  private start(): Worker {
    const worker = new Worker(script, { resourceLimits: { maxOldGenerationSizeMb: heapMebibytes }, execArgv: [] })
    worker.on('message', (verdict: JudgeVerdict) => {
      const { current } = this
      this.current = null
      current?.answered(verdict)
      this.next()
    })
    worker.on('error', (cause) => this.ended(worker, cause))
    worker.on('exit', () => this.ended(worker, new Error('the judge thread ended')))
    return worker
  }

  /** Whoever was being judged hears of it; the line goes on with a new thread. */
  private ended(worker: Worker, cause: Error): void {
    if (this.worker !== worker) return
    this.worker = null
    this.known = new Set()
    const { current } = this
    this.current = null
    current?.reject(cause)
    this.next()
  }
}

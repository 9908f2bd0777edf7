/**
 * Memory that callers may take up, bounded before it is used: what is being read for an answer, what a request brings, and answers that
 * nobody has read yet. Counted by principal and for the process, in shares of the heap, so that one key cannot end the server for
 * everybody. Who is over waits for a turn, and after a while hears `busy`; what keeps or hands in work goes on.
 */
import { getHeapStatistics } from 'node:v8'
import { WorkError } from '@work-manager/contract'
import { pageBytes } from '../store/page-budget.ts'

export interface MemoryLimits {
  readonly total: number
  readonly perPrincipal: number
  /** Calls that may wait for a turn, of one principal and of all. */
  readonly waitingPerPrincipal: number
  readonly waiting: number
  readonly waitMs: number
}

const mebibyte = 1024 * 1024
const clamp = (value: number, least: number, most: number): number => Math.min(most, Math.max(least, value))

/** An answer costs several times its bytes while it is made, so that a sixteenth of the heap in answers is about a third in memory. */
export function limitsOfHeap(heapLimit: number = getHeapStatistics().heap_size_limit): MemoryLimits {
  const total = clamp(Math.floor(heapLimit / 16), 4 * pageBytes, 256 * mebibyte)
  return { total, perPrincipal: Math.floor(total / 4), waitingPerPrincipal: 64, waiting: 1024, waitMs: 5_000 }
}

/** What one call takes up. Given back once, however the call ends. */
export interface Seat {
  /** From now on it takes up this much: the answer is made. */
  hold(bytes: number): void
  leave(): void
}

interface Waiting {
  readonly who: string
  readonly bytes: number
  readonly timer: NodeJS.Timeout
  readonly seat: (seat: Seat) => void
}

/** Too little to be worth counting. */
const small = 16 * 1024

export class AnswerMemory {
  private readonly limits: MemoryLimits
  private readonly underPressure: () => boolean
  private readonly used = new Map<string, number>()
  private total = 0
  private queue: Waiting[] = []

  constructor(limits: MemoryLimits = limitsOfHeap(), underPressure: () => boolean = () => false) {
    this.limits = limits
    this.underPressure = underPressure
  }

  /** Bytes taken up now. */
  get inUse(): number {
    return this.total
  }

  /**
   * A seat for a call of `who` that will take up about `bytes`. `mustGoOn` is never refused for want of memory while it is small.
   * Refuses with: busy.
   */
  enter(who: string, bytes: number, mustGoOn: boolean): Seat | Promise<Seat> {
    if (mustGoOn && bytes <= small) return new CountedSeat(this, who, 0)
    if (this.underPressure() && !mustGoOn)
      throw this.refusal('The server is nearly out of memory; it takes no new work until it has some again.')
    if (this.fits(who, bytes)) return new CountedSeat(this, who, bytes)
    return this.wait(who, bytes)
  }

  private fits(who: string, bytes: number): boolean {
    const { total, perPrincipal } = this.limits
    const mine = this.used.get(who) ?? 0
    // Whoever holds nothing gets one seat, however large: a limit that no answer fits would be no limit but an end.
    return (mine === 0 || mine + bytes <= perPrincipal) && (this.total === 0 || this.total + bytes <= total)
  }

  private wait(who: string, bytes: number): Promise<Seat> {
    const { waiting, waitingPerPrincipal, waitMs } = this.limits
    const mine = this.queue.reduce((sum, one) => (one.who === who ? sum + 1 : sum), 0)
    if (this.queue.length >= waiting || mine >= waitingPerPrincipal)
      throw this.refusal('Too many answers are being made or wait to be read.')
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        this.queue = this.queue.filter((one) => one.timer !== timer)
        reject(this.refusal('Answers that were asked for before have not been read yet.'))
      }, waitMs)
      this.queue.push({ who, bytes, timer, seat: resolve })
    })
  }

  private refusal(detail: string): WorkError {
    return new WorkError('busy', {
      detail: `${detail} Nothing was done.`,
      fix: 'Read the answers that you asked for, ask for less at a time (limit, fields), and repeat the same request when Retry-After has passed.',
      retryAfterSeconds: 2,
    })
  }

  /** Called by seats. */
  change(who: string, by: number): void {
    if (by === 0) return
    const mine = (this.used.get(who) ?? 0) + by
    if (mine === 0) this.used.delete(who)
    else this.used.set(who, mine)
    this.total += by
    if (by < 0) this.seatWaiting()
  }

  private seatWaiting(): void {
    // In order of arrival; who is over its own share lets others pass.
    for (const one of [...this.queue]) {
      if (this.total >= this.limits.total) return
      if (!this.fits(one.who, one.bytes)) continue
      this.queue = this.queue.filter((other) => other !== one)
      clearTimeout(one.timer)
      one.seat(new CountedSeat(this, one.who, one.bytes))
    }
  }
}

class CountedSeat implements Seat {
  private readonly memory: AnswerMemory
  private readonly who: string
  private bytes: number
  private left = false

  constructor(memory: AnswerMemory, who: string, bytes: number) {
    this.memory = memory
    this.who = who
    this.bytes = bytes
    memory.change(who, bytes)
  }

  hold(bytes: number): void {
    if (this.left) return
    const counted = bytes <= small ? 0 : bytes
    const before = this.bytes
    this.bytes = counted
    this.memory.change(this.who, counted - before)
  }

  leave(): void {
    if (this.left) return
    this.left = true
    this.memory.change(this.who, -this.bytes)
  }
}

/** Job queues of others, each as its manual shows it: claim one job, say that it is still being worked on, complete it. */
export interface Job {
  readonly id: string
  readonly data: { readonly number: number }
}

export interface Peer {
  /** Puts that many jobs into an empty queue. */
  fill(count: number): Promise<void>
  /** Puts one job into the queue, and resolves when it is kept. */
  send(data: object): Promise<string>
  claim(): Promise<Job | null>
  /** Extends the hold on a claimed job; null where there is no such thing. */
  touch(id: string): Promise<void>
  complete(id: string, result: object): Promise<void>
  close(): Promise<void>
}

export type PeerName = 'pg-boss' | 'bullmq'
export const jobData = (number: number) => ({ number, text: `What is thing number ${number}?` })

/** The kill switch in words: what a pause stops, and the refusal. Pure; pauses are judged in SQL (`wm.pause_in_force`). */
import { WorkError } from '@work-manager/contract'

export type PauseScope = 'agent' | 'type' | 'tenant' | 'everything'

/** A pause that stops the caller; `subject` is the agent id, principal or type, and empty for the wide ones. */
export interface PauseInForce {
  readonly scope: PauseScope
  readonly subject: string
  readonly reason: string
  readonly paused_at: string
}

const whatIsPaused = ({ scope, subject }: PauseInForce): string =>
  ({
    agent: `Agent '${subject}' is`,
    type: `Work of type '${subject}' is`,
    tenant: 'This tenant is',
    everything: 'Everything on this server is',
  })[scope]

/** The pause in words, for whoever asks what work waits for. */
export const pauseSentence = (pause: PauseInForce): string => `${whatIsPaused(pause)} paused since ${pause.paused_at}: ${pause.reason}`

export function pausedRefusal(pause: PauseInForce): WorkError {
  return new WorkError('paused', {
    detail: pauseSentence(pause),
    extra: { paused: pause },
    retryAfterSeconds: 30,
  })
}

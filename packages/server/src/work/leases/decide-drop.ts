/**
 * Who lets an item go without a result. Once may happen to anybody; whoever does it again is offered the item later than the others, for
 * twice as long each time, so that one agent cannot use up everybody's attempts. Pure; who is kept from an item stands in SQL
 * (`wm.is_kept_from_all`).
 */

export interface Drop {
  /** Seconds since 1970, by the database's clock: until then others go first. */
  readonly until: number
  readonly times: number
  /** This one said that nobody can do it. */
  readonly gave_up?: true
}
/** By principal. */
export type DroppedBy = Readonly<Record<string, Drop>>

export interface DropRules {
  /** How long whoever drops an item for the second time is kept from it; 0: never. */
  readonly cooldownSeconds: number
  /** A lease that is given back this soon costs no attempt. */
  readonly graceSeconds: number
}

const longestSeconds = 3600
/** As many as may say why an item stands still; more would only make its row longer. */
const mostRemembered = 20

const secondsOf = (at: string): number => Date.parse(at) / 1000

/** What is remembered of an item after `principal` let it go. `readyInSeconds`: when it is ready again at the earliest. */
export function afterDrop(
  before: DroppedBy | null,
  drop: { readonly principal: string; readonly at: string; readonly readyInSeconds?: number; readonly gaveUp?: boolean },
  rules: DropRules,
): DroppedBy {
  const last = before?.[drop.principal]
  const times = (last?.times ?? 0) + 1
  // Whoever gave up has said all it can: somebody else is to look at it, from the first time on.
  const repeated = drop.gaveUp ? times : times - 1
  const seconds = repeated === 0 ? 0 : Math.min(longestSeconds, rules.cooldownSeconds * 2 ** Math.min(20, repeated - 1))
  const until = seconds === 0 ? 0 : Math.ceil(secondsOf(drop.at) + (drop.readyInSeconds ?? 0) + seconds)
  const gaveUp = drop.gaveUp || last?.gave_up ? { gave_up: true as const } : {}
  const others = Object.entries(before ?? {}).filter(([principal]) => principal !== drop.principal)
  const kept = others.toSorted(([, a], [, b]) => b.until - a.until).slice(0, mostRemembered - 1)
  return { ...Object.fromEntries(kept), [drop.principal]: { until, times, ...gaveUp } }
}

/** Whether an attempt that ends now comes back: its holder gave it back almost as soon as it had it. */
export const isWithinGrace = (leasedAt: string | null, at: string, rules: DropRules): boolean =>
  leasedAt !== null && secondsOf(at) - secondsOf(leasedAt) <= rules.graceSeconds

/** Whether somebody else has said before that nobody can do it. */
export const isConfirmed = (before: DroppedBy | null, principal: string): boolean =>
  Object.entries(before ?? {}).some(([who, drop]) => who !== principal && drop.gave_up === true)

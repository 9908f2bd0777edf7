/** What a type, or else the server, says about whoever lets an item go. */
import type { WorkTools } from '../tools.ts'
import type { DropRules } from './decide-drop.ts'

/** A type that is not registered any more follows the server. */
export const dropRulesOf = ({ types, settings }: Pick<WorkTools, 'types' | 'settings'>, orderType: string): DropRules => ({
  cooldownSeconds: types.get(orderType)?.cooldownSeconds ?? settings.cooldownSeconds,
  graceSeconds: settings.releaseGraceSeconds,
})

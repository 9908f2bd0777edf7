/** How the reference groups operations: by what their ability is for. The order here is the order in which documents show them. */
import type { Ability } from '@work-manager/contract'
import type { Operation } from '../../operations/operation.ts'

/** The compiler asks for a place for every new ability. */
const sectionOfAbility: Readonly<Record<Ability, string>> = {
  'work:propose': 'Proposing',
  'work:checkout': 'Doing the work',
  'work:heartbeat': 'Doing the work',
  'work:submit': 'Doing the work',
  'work:approve': 'Deciding',
  'work:reject': 'Deciding',
  'work:cancel': 'Deciding',
  'work:requeue': 'Deciding',
  'work:view': 'Reading',
  'admin:keys': 'Administration',
  'admin:leases': 'Administration',
  'admin:pause': 'Administration',
  'admin:publishers': 'Administration',
  'admin:maintenance': 'Administration',
}

export const operationSections: readonly string[] = [...new Set(Object.values(sectionOfAbility))]
export const sectionOf = (operation: Operation): string => sectionOfAbility[operation.ability]

/** How the reference groups operations: by what their ability is for. */
import { abilities, abilityGroups } from '@work-manager/contract'
import type { Operation } from '../../kernel/operations/operation.ts'

export const operationSections = abilityGroups
export const sectionOf = (operation: Operation): string => abilities[operation.ability].group

/** Who may come in: keys and their verbs. */
import { defineNoun, defineSystem } from '../kernel/system.ts'
import { claimKey } from './claim-key.ts'
import { createKey } from './create-key.ts'
import { listKeys } from './list-keys.ts'
import { revokeKey } from './revoke-key.ts'
import { rotateKey } from './rotate-key.ts'

const keys = defineNoun({ name: 'access', operations: [createKey, claimKey, listKeys, rotateKey, revokeKey] })

export const access = defineSystem({ name: 'access', nouns: [keys] })

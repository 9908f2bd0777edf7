import { WorkError } from '@work-manager/contract'
import { actorOf } from '../kernel/operations/actor.ts'
import Type from 'typebox'
import { defineOperation } from '../kernel/operations/operation.ts'
import { redeemInvitation } from './issue-key.ts'
import { madeKey } from './key-shapes.ts'

export const claimKey = defineOperation({
  name: 'claim_key',
  summary: 'Redeem an invitation, which is sent as the key, for the key of one’s own that it stands for. It works once.',
  http: { method: 'POST', path: '/keys/claim', success: 201 },
  ability: 'admin:claim',
  idempotency: 'none',
  refuses: ['not_an_invitation', 'key_revoked', 'key_expired'],
  command: { words: 'keys claim', byHand: true },
  tool: 'secrets do not belong into a model’s context',
  input: Type.Object({}),
  output: madeKey,
  handler: (context) =>
    context.write(async (tx) => {
      const { keyId } = context.principal
      if (keyId === null) throw new WorkError('not_an_invitation')
      return { status: 201, body: await redeemInvitation(tx, keyId, actorOf(context)) }
    }),
})

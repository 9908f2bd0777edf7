/** What the verbs of keys take and answer. */
import Type from 'typebox'

export const keyId = Type.String({ format: 'uuid', description: 'Key id.' })
export const madeKey = Type.Object({
  id: Type.String({ description: 'Of the key, or of the invitation.' }),
  key: Type.Union([Type.Null(), Type.String()], { description: 'Shown once; only its hash is kept. Null: it is another person’s.' }),
  invitation: Type.Union([Type.Null(), Type.String()], {
    description: 'For that person, who redeems it once for the key that nobody else sees (POST /keys/claim, `work-manager keys claim`).',
  }),
  claim_until: Type.Union([Type.Null(), Type.String({ format: 'date-time' })], {
    description: 'Until when the invitation can be redeemed.',
  }),
})

/** What the verbs of keys take and answer. */
import Type from 'typebox'

export const keyId = Type.String({ format: 'uuid', description: 'Key id.' })
export const madeKey = Type.Object({ id: Type.String(), key: Type.String({ description: 'Shown once; only its hash is kept.' }) })

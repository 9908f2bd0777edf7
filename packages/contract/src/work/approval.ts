/** Decisions about an order: what a reviewer sees, says and may do. */
import Type, { type Static } from 'typebox'
import { defineNoun } from '../kernel/noun.ts'
import { nullable, uuid } from '../kernel/shapes.ts'

export const DiffShape = Type.Object(
  {
    before: Type.Record(Type.String(), Type.Unknown()),
    after: Type.Record(Type.String(), Type.Unknown()),
    changes: Type.Record(Type.String(), Type.Unknown(), { description: 'key → {type: added|modified|removed, …}' }),
    summary: nullable(Type.String()),
  },
  { title: 'Diff' },
)
export type Diff = Static<typeof DiffShape>

export const FieldErrorShape = Type.Object(
  {
    code: Type.String({ minLength: 1, maxLength: 120, description: 'Short stable word for the kind of problem.' }),
    message: Type.String({ minLength: 1, maxLength: 2000, description: 'One sentence: what is wrong and what to do.' }),
    field: Type.Optional(nullable(Type.String({ maxLength: 500, description: 'Dotted path inside the result.' }))),
    item_id: Type.Optional(nullable(uuid('The item that the error is about; absent: all reworked items.'))),
  },
  { additionalProperties: true, title: 'ReviewError' },
)

export const approval = defineNoun({
  noun: 'approval',
  abilities: {
    'work:approve': { group: 'Deciding', says: 'Approve orders (people only).' },
    'work:reject': { group: 'Deciding', says: 'Reject orders (people only).' },
    'work:cancel': { group: 'Deciding', says: 'Cancel orders.' },
    'work:requeue': { group: 'Deciding', says: 'Bring failed, rejected and dead-lettered work back.' },
  },
})

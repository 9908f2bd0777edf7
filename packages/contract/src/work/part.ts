import Type from 'typebox'
import { defineNoun } from '../kernel/noun.ts'
import { anyJson, nullable, time, uuid } from '../kernel/shapes.ts'

export const partStatuses = ['validated', 'rejected'] as const
export type PartStatus = (typeof partStatuses)[number]

export const PartShape = Type.Object(
  {
    id: uuid('Part id.'),
    part_key: Type.String(),
    seq: nullable(Type.Integer()),
    revision: Type.Integer(),
    status: Type.Enum(partStatuses),
    payload: anyJson(''),
    evidence: anyJson(''),
    notes: nullable(Type.String()),
    errors: anyJson(''),
    checksum: Type.String({ description: 'sha256 of the canonical payload, hex.' }),
    submitted_by_agent_id: Type.String(),
    created_at: time(''),
  },
  { title: 'Part' },
)

export const part = defineNoun({
  noun: 'part',
  writtenOnce: {
    title: 'Parts',
    doc: 'A better one is a new revision of the same slot (`part_key` and `seq`); a rejected revision never hides a validated one.',
    statuses: {
      validated: 'submit part, when its checks pass',
      rejected: 'submit part, when its checks fail',
    } satisfies Record<PartStatus, string>,
  },
})

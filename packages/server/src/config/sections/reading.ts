/** Lists, and what is kept about callers. */
import Type from 'typebox'

export const querySection = Type.Object(
  {
    default_page_size: Type.Integer({
      default: 50,
      minimum: 1,
      maximum: 1000,
      description: 'Rows of a list when the caller names no number.',
    }),
    max_page_size: Type.Integer({ default: 100, minimum: 1, maximum: 1000, description: 'Rows of a list at most.' }),
  },
  { description: 'Lists.' },
)

export const provenanceSection = Type.Object(
  {
    anonymize_ip: Type.Boolean({ default: false, description: 'Record only the network part of caller addresses.' }),
  },
  { description: 'What is kept about callers.' },
)

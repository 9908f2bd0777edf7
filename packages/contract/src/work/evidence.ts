import Type, { type Static } from 'typebox'
import { time } from '../kernel/shapes.ts'

/** Evidence as the product's standard has it; types may ask for more members. Hash and quote are checked by the server where it can. */
export const EvidenceShape = Type.Object(
  {
    url: Type.String({ minLength: 1, maxLength: 2000, description: 'Where it was found: a URL, or file: and a path for local evidence.' }),
    retrieved_at: Type.Optional(time('When it was read.')),
    retrieved_via: Type.Optional(Type.Enum(['agent_browser', 'api', 'scraper', 'file'])),
    quote: Type.Optional(Type.String({ maxLength: 10_000, description: 'Verbatim text from the source.' })),
    source_name: Type.Optional(Type.String({ maxLength: 500 })),
    source_type: Type.Optional(Type.Enum(['official', 'research', 'news', 'community', 'commercial'])),
    credibility: Type.Optional(Type.Enum(['high', 'medium', 'low'])),
    source_credibility: Type.Optional(Type.Enum(['high', 'medium', 'low'], { description: 'Older spelling of credibility.' })),
    license: Type.Optional(Type.Enum(['public', 'fair_use', 'proprietary'])),
    hash: Type.Optional(Type.String({ pattern: '^sha256:[0-9a-f]{64}$', description: 'SHA-256 of the whole source.' })),
  },
  { additionalProperties: true, title: 'Evidence' },
)
export type Evidence = Static<typeof EvidenceShape>

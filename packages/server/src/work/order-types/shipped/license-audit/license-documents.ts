/** The documents of `dependency.license-audit`: what is ordered, what an item asks, what an agent answers. */
import Type, { type Static } from 'typebox'

export const defaultPackagesPerItem = 6
export const defaultOutput = 'THIRD_PARTY_NOTICES.md'

const Path = Type.String({ minLength: 1, maxLength: 1000 })
const PackageName = Type.String({ minLength: 1, maxLength: 214 })
const Version = Type.String({ minLength: 1, maxLength: 256 })

export const AuditPayload = Type.Object(
  {
    root: Type.Optional(
      Type.String({
        minLength: 1,
        maxLength: 500,
        description: "Directory on the server that contains node_modules, relative to the server's working directory. Default '.'.",
      }),
    ),
    packages_per_item: Type.Optional(Type.Integer({ minimum: 1, maximum: 25, description: `Default ${defaultPackagesPerItem}.` })),
    include: Type.Optional(Type.Array(PackageName, { minItems: 1, maxItems: 1000, description: 'Only these packages; default all.' })),
    limit: Type.Optional(Type.Integer({ minimum: 1, maximum: 10_000, description: 'Only the first so many.' })),
    lease_seconds: Type.Optional(
      Type.Integer({ minimum: 5, maximum: 86_400, description: 'How long an agent may be silent. Default: as the server has it.' }),
    ),
    strict: Type.Optional(Type.Boolean({ description: 'Refuse approval while a package is NOASSERTION. Default false.' })),
    output: Type.Optional(
      Type.String({ minLength: 4, maxLength: 500, description: `Where the notices go, relative to root. Default ${defaultOutput}.` }),
    ),
  },
  { additionalProperties: false },
)
export const AuditInput = Type.Object({
  root: Type.String(),
  packages: Type.Array(Type.Object({ name: PackageName, version: Version, path: Path }), { minItems: 1, maxItems: 25 }),
})
/** What an agent says about one package; also the payload of a part. */
export const PackageAnswer = Type.Object(
  {
    name: PackageName,
    version: Version,
    spdx: Type.String({
      minLength: 1,
      maxLength: 200,
      description: 'SPDX licence expression, such as MIT or (MIT OR Apache-2.0); NOASSERTION, with notes, when it cannot be told.',
    }),
    file: Type.String({
      minLength: 1,
      maxLength: 1000,
      description: 'The file that proves it, relative to root, inside the package.',
    }),
    sha256: Type.String({ pattern: '^[0-9a-f]{64}$', description: 'SHA-256 of the whole file, lower-case hex.' }),
    quote: Type.String({ minLength: 10, maxLength: 500, description: 'Text of the file exactly as it stands there.' }),
    notes: Type.Optional(Type.String({ minLength: 1, maxLength: 2000 })),
  },
  { additionalProperties: false },
)
export const AuditResult = Type.Object({ packages: Type.Array(PackageAnswer, { maxItems: 50 }) }, { additionalProperties: false })

export type AuditInput = Static<typeof AuditInput>
export type AuditResult = Static<typeof AuditResult>
export type PackageAnswer = Static<typeof PackageAnswer>

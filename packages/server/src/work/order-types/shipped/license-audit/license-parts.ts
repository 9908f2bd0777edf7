/** Answers handed in one package at a time: a part per package, keyed `name@version`, put together in the order of the item. */
import type { PartsDefinition } from '../../order-type.ts'
import { type AuditInput, type AuditResult, PackageAnswer } from './license-documents.ts'

const keyOf = ({ name, version }: { readonly name: string; readonly version: string }): string => `${name}@${version}`

export const licenseParts: PartsDefinition<AuditInput, AuditResult> = {
  schemas: { '*': PackageAnswer },
  required: ({ packages }) => packages.map(keyOf),
  verify: [
    {
      // File, hash and quote are compared when the parts are put together: judging a part reads no files.
      name: 'part_answers_its_key',
      check({ input, partKey, payload }) {
        if (!input.packages.some((asked) => keyOf(asked) === partKey))
          return [
            {
              field: 'part_key',
              code: 'package_not_requested',
              message: `${partKey} is not part of this item; keys are ${input.packages.map(keyOf).join(', ')}.`,
            },
          ]
        const answered = keyOf(payload as PackageAnswer)
        return answered === partKey
          ? []
          : [{ field: 'name', code: 'part_key_differs', message: `The part_key is ${partKey}, but the part answers for ${answered}.` }]
      },
    },
  ],
  assemble(parts, { packages }) {
    // A later seq of the same key replaces an earlier one; parts arrive in that order.
    const answers = new Map(parts.map((part) => [part.partKey, part.payload as PackageAnswer]))
    return { packages: packages.flatMap((asked) => answers.get(keyOf(asked)) ?? []) }
  },
}

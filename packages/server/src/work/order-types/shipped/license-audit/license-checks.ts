/** How answers about licences are judged: the server reads every named file itself, then compares. */
import type { Check, Finding, Submission } from '../../order-type.ts'
import type { AuditInput, AuditResult } from './license-documents.ts'
import { declaredLicense } from './license-evidence.ts'
import { readPackageFile, type PackageFile } from './package-files.ts'
import { readSpdx, sameSpdx } from './spdx.ts'

export interface LicenseFacts {
  /** Null: the package is not part of the item, so its file was not opened. */
  readonly file: PackageFile | null
  /** The licence that package.json declares, when it is an SPDX expression. */
  readonly declared: string | null
}

const licenceWords =
  /licen[sc]|copyright|copyleft|permission|granted|redistribut|warrant|public domain|all rights|creative commons|\bcc0\b/i
const sentence = (packageName: string, problem: string): string => `${packageName}: ${problem}`

/** Reads the file that the agent names, and what package.json declares. `known` is the package as planned, if the item has it. */
export async function readFacts(root: string, known: { path: string } | undefined, file: string): Promise<LicenseFacts> {
  if (!known) return { file: null, declared: null }
  const manifest = await readPackageFile(root, known.path, `${known.path}/package.json`)
  let declared: string | undefined
  try {
    declared = manifest.read ? declaredLicense(JSON.parse(manifest.text) as object) : undefined
  } catch {
    // A broken package.json declares nothing; the named file still has to prove what the agent says.
  }
  return {
    file: await readPackageFile(root, known.path, file),
    declared: declared !== undefined && readSpdx(declared).ok ? declared : null,
  }
}

function readSpdxIds(expression: string): readonly string[] {
  const reading = readSpdx(expression)
  return reading.ok ? reading.ids : []
}

export const licenseChecks: readonly Check<Submission<AuditInput, AuditResult, readonly LicenseFacts[]>>[] = [
  {
    name: 'every_package_once',
    check({ input, result }) {
      const findings: Finding[] = []
      const asked = new Set(input.packages.map((p) => `${p.name}@${p.version}`))
      const seen = new Set<string>()
      for (const [i, { name, version }] of result.packages.entries()) {
        const key = `${name}@${version}`
        if (!asked.has(key))
          findings.push({
            field: `packages.${i}`,
            code: 'package_not_requested',
            message: `${key} is not part of this item; leave it out.`,
          })
        else if (seen.has(key))
          findings.push({ field: `packages.${i}`, code: 'package_twice', message: `${key} is answered twice; keep one.` })
        seen.add(key)
      }
      for (const key of asked)
        if (!seen.has(key))
          findings.push({ field: 'packages', code: 'package_missing', message: `${key} is part of this item and has no answer.` })
      return findings
    },
  },
  {
    name: 'spdx_expression',
    check: ({ result }) =>
      result.packages.flatMap((p, i) => {
        const reading = readSpdx(p.spdx)
        if (!reading.ok)
          return [
            {
              field: `packages.${i}.spdx`,
              code: 'spdx_invalid',
              message: sentence(p.name, `'${p.spdx}' is not an SPDX expression: ${reading.problem}.`),
            },
          ]
        const unexplained = p.spdx === 'NOASSERTION' && (p.notes ?? '').trim() === ''
        return unexplained
          ? [
              {
                field: `packages.${i}.notes`,
                code: 'notes_required',
                message: sentence(p.name, 'NOASSERTION needs notes that say why the licence cannot be told.'),
              },
            ]
          : []
      }),
  },
  {
    name: 'file_belongs_to_package',
    check: ({ result, materials }) =>
      result.packages.flatMap((p, i) => {
        const file = materials[i]?.file
        return file && !file.read
          ? [
              {
                field: `packages.${i}.file`,
                code: 'file_not_accepted',
                message: sentence(p.name, `the file ${p.file} ${file.problem}.`),
              },
            ]
          : []
      }),
  },
  {
    name: 'hash_matches',
    check: ({ result, materials }) =>
      result.packages.flatMap((p, i) => {
        const file = materials[i]?.file
        return file?.read && file.sha256 !== p.sha256
          ? [
              {
                field: `packages.${i}.sha256`,
                code: 'hash_mismatch',
                message: `This is not the SHA-256 of ${p.file} as the server reads it: hash the bytes of the whole file, unchanged.`,
              },
            ]
          : []
      }),
  },
  {
    name: 'quote_is_verbatim',
    check: ({ result, materials }) =>
      result.packages.flatMap((p, i) => {
        const file = materials[i]?.file
        if (!file?.read) return []
        if (!file.text.includes(p.quote))
          return [
            {
              field: `packages.${i}.quote`,
              code: 'quote_not_found',
              message: `The quote does not occur in ${p.file}: copy the text exactly as it stands there.`,
            },
          ]
        const speaks = licenceWords.test(p.quote) || p.spdx === 'NOASSERTION' || readSpdxIds(p.spdx).some((id) => p.quote.includes(id))
        return speaks
          ? []
          : [
              {
                field: `packages.${i}.quote`,
                code: 'quote_irrelevant',
                message: `The quote occurs in ${p.file} but says nothing about a licence: quote the sentence that does.`,
              },
            ]
      }),
  },
  {
    name: 'agrees_with_declaration',
    check: ({ result, materials }) =>
      result.packages.flatMap((p, i) => {
        const declared = materials[i]?.declared ?? null
        const explained = (p.notes ?? '').trim() !== ''
        return declared === null || explained || sameSpdx(declared, p.spdx)
          ? []
          : [
              {
                field: `packages.${i}.spdx`,
                code: 'declaration_differs',
                message: sentence(p.name, `its package.json declares ${declared}. If ${p.spdx} is right all the same, say why in notes.`),
              },
            ]
      }),
  },
]

/**
 * Finds the licence of an installed package and the proof for it: what an honest agent hands in for `dependency.license-audit`.
 * Plain code for scripted agents and tests; the server does not use it to judge what agents say.
 */
import { readdir } from 'node:fs/promises'
import path from 'node:path'
import { readPackageFile, type PackageFile } from './package-files.ts'
import { readSpdx } from './spdx.ts'

export interface LicenseEvidence {
  readonly spdx: string
  /** Relative to the root. */
  readonly file: string
  readonly sha256: string
  readonly quote: string
  /** Only where the expression needs an explanation. */
  readonly notes?: string
}

const minQuote = 10
const maxQuote = 500
const licenseFile = /^(licen[sc]e|copying)([.-].*)?$/i

/** By a sentence that only this licence has; the order matters where one text contains another. */
const fingerprints: readonly (readonly [id: string, sign: RegExp])[] = [
  ['Apache-2.0', /Apache License,?\s+Version 2\.0/i],
  ['MPL-2.0', /Mozilla Public License,? (Version|v\.?) ?2\.0/i],
  ['BlueOak-1.0.0', /Blue Oak Model License/i],
  ['CC0-1.0', /CC0 1\.0 Universal/i],
  ['Unlicense', /This is free and unencumbered software released into the public domain/i],
  ['BSD-3-Clause', /Redistribution and use in source and binary forms[^]*Neither the name/i],
  ['BSD-2-Clause', /Redistribution and use in source and binary forms/i],
  ['ISC', /Permission to use, copy, modify, and(\/or)? distribute this software/i],
  ['MIT', /Permission is hereby granted, free of charge/i],
]

interface Manifest {
  readonly license?: unknown
  readonly licenses?: unknown
}

/** What package.json itself declares, in any of the forms that were ever in use; undefined when it declares nothing. */
export function declaredLicense(manifest: Manifest): string | undefined {
  const nameOf = (one: unknown): string | undefined =>
    typeof one === 'string'
      ? one
      : typeof (one as { type?: unknown } | null)?.type === 'string'
        ? (one as { type: string }).type
        : undefined
  if (manifest.license !== undefined) return nameOf(manifest.license)
  if (!Array.isArray(manifest.licenses)) return undefined
  const names = manifest.licenses.map(nameOf).filter((n) => n !== undefined)
  return names.length === 0 ? undefined : names.length === 1 ? names[0] : `(${names.join(' OR ')})`
}

function quoteFromText(text: string): string | undefined {
  const lines = text.split(/\r?\n/).map((line) => line.trim())
  const wanted = [
    /^\W*(apache license|mozilla public license|blue oak model license|cc0 1\.0)/i,
    /permission is hereby granted|licensed under|redistribution and use|permission to use/i,
    /licen[sc]e/i,
    /copyright/i,
  ]
  for (const sign of wanted) {
    const line = lines.find((one) => sign.test(one) && one.length >= minQuote)
    if (line !== undefined) return line.slice(0, maxQuote)
  }
  return undefined
}

function quoteFromManifest(text: string): string {
  const literal = /"licen[sc]es?"\s*:\s*("[^"]*"|[[{][^\]}]*[\]}])/.exec(text)?.[0]
  // A manifest without a licence member proves only that: quote its beginning.
  return literal !== undefined && literal.length >= minQuote ? literal.slice(0, maxQuote) : text.trim().slice(0, 120).trimEnd()
}

async function licenseText(
  root: string,
  packagePath: string,
): Promise<{ file: string; content: Extract<PackageFile, { read: true }> } | undefined> {
  const names = await readdir(path.join(root, packagePath)).catch(() => [])
  for (const name of names.filter((n) => licenseFile.test(n)).sort()) {
    const file = `${packagePath}/${name}`
    const content = await readPackageFile(root, packagePath, file)
    if (content.read && content.text.trim() !== '') return { file, content }
  }
  return undefined
}

/**
 * Reads package.json and the licence file of a package (`packagePath` relative to `root`) and answers with expression and proof.
 * Throws when the package has no readable package.json.
 */
export async function findLicense(root: string, packagePath: string): Promise<LicenseEvidence> {
  const manifestFile = `${packagePath}/package.json`
  const manifest = await readPackageFile(root, packagePath, manifestFile)
  if (!manifest.read) throw new Error(`${manifestFile} ${manifest.problem}`)
  const declared = declaredLicense(JSON.parse(manifest.text) as Manifest)
  const found = await licenseText(root, packagePath)
  const detected = found && fingerprints.find(([, sign]) => sign.test(found.content.text))?.[0]
  const usable = declared !== undefined && readSpdx(declared).ok ? declared : undefined
  const spdx = usable ?? detected ?? 'NOASSERTION'
  const notes = usable
    ? undefined
    : declared === undefined
      ? `package.json declares no licence${detected ? `; the text of ${found?.file} is ${detected}` : ''}`
      : `package.json says '${declared}', which is not an SPDX expression${detected ? `; the text of ${found?.file} is ${detected}` : ''}`
  const quote = found && quoteFromText(found.content.text)
  const proof =
    found && quote
      ? { file: found.file, sha256: found.content.sha256, quote }
      : { file: manifestFile, sha256: manifest.sha256, quote: quoteFromManifest(manifest.text) }
  return { spdx, ...proof, ...(notes ? { notes } : {}) }
}

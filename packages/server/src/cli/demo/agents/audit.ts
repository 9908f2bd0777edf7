/** The real work of the demo's agents: read the files of the installed packages, and answer with proof. */
import path from 'node:path'
import { findLicense, type LicenseEvidence } from '../../../work/order-types/shipped/license-audit/license-evidence.ts'
import type { LeasedItem } from '../client.ts'

export interface PackageAnswer extends LicenseEvidence {
  readonly name: string
  readonly version: string
}

/** One answer per package of the item: SPDX id, file, SHA-256 of the file, verbatim quote. */
export async function auditPackages(item: LeasedItem, directory: string): Promise<PackageAnswer[]> {
  const { root, packages } = item.input as { root: string; packages: { name: string; version: string; path: string }[] }
  const answers: PackageAnswer[] = []
  for (const { name, version, path: at } of packages)
    answers.push({ name, version, ...(await findLicense(path.join(directory, root), at)) })
  return answers
}

/** `12 MIT, 2 ISC`, the most frequent first; a count and its licence stay on one line. */
export function licenceCounts(answers: Iterable<{ readonly spdx: string }>): string {
  const counts = new Map<string, number>()
  for (const { spdx } of answers) counts.set(spdx, (counts.get(spdx) ?? 0) + 1)
  return [...counts]
    .sort(([a, n], [b, m]) => m - n || (a < b ? -1 : 1))
    .map(([spdx, count]) => `${count}\u00a0${spdx}`)
    .join(', ')
}

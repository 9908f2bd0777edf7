/**
 * `dependency.license-audit`: which licence each installed package has, with proof. Agents answer per package with an SPDX expression,
 * the file that says so, its SHA-256 and a verbatim quote; the server reads every named file itself and believes nothing else.
 */
import { defineOrderType } from '../../define-order-type.ts'
import { auditRoot, installedPackages } from './installed-packages.ts'
import { readFacts, licenseChecks, type LicenseFacts } from './license-checks.ts'
import { AuditInput, AuditPayload, AuditResult, defaultOutput, defaultPackagesPerItem } from './license-documents.ts'
import { licenseParts } from './license-parts.ts'
import { noticesTarget, writeNotices, type NoticeEntry } from './third-party-notices.ts'

const collection = 'license_inventory'

/** The type for a server whose files lie under `base`; the shipped one uses the working directory of the process. */
export function createLicenseAudit(base: () => string = () => process.cwd()) {
  return defineOrderType({
    type: 'dependency.license-audit',
    title: 'Audit dependency licences',
    description:
      'Finds the licence of every package installed under a directory of the server, with a verbatim quote as proof; approved answers become an inventory and THIRD_PARTY_NOTICES.md.',
    payload: AuditPayload,
    input: AuditInput,
    result: AuditResult,
    parts: licenseParts,

    async plan({ payload }) {
      const root = payload.root ?? '.'
      const directory = await auditRoot(base(), root)
      const installed = await installedPackages(directory)
      const missing = (payload.include ?? []).filter((name) => !installed.some((p) => p.name === name))
      if (missing.length > 0) throw new Error(`not installed under ${root}/node_modules: ${missing.join(', ')}`)
      await noticesTarget(base(), root, payload.output ?? defaultOutput)
      const wanted = installed.filter((p) => payload.include?.includes(p.name) ?? true).slice(0, payload.limit)
      const size = payload.packages_per_item ?? defaultPackagesPerItem
      return Array.from({ length: Math.ceil(wanted.length / size) }, (_, i) => ({
        input: { root, packages: wanted.slice(i * size, (i + 1) * size) },
        ...(payload.lease_seconds === undefined ? {} : { leaseTtlSeconds: payload.lease_seconds }),
      }))
    },

    async gather({ input, result, signal }) {
      const root = await auditRoot(base(), input.root)
      const facts: LicenseFacts[] = []
      for (const answer of result.packages) {
        signal.throwIfAborted()
        facts.push(
          await readFacts(
            root,
            input.packages.find((p) => p.name === answer.name && p.version === answer.version),
            answer.file,
          ),
        )
      }
      return facts
    },

    verify: licenseChecks,

    canApprove(order, items) {
      const given = items
        .filter((item) => item.state !== 'submitted')
        .map((item) => ({
          field: `items.${item.ordinal}`,
          code: 'item_missing',
          message: `Item ${item.ordinal} has no result.`,
          item_id: item.id,
        }))
      if (order.payload.strict !== true) return given
      const untold = items.flatMap((item) =>
        item.result.packages
          .filter((p) => p.spdx === 'NOASSERTION')
          .map((p) => ({
            field: `items.${item.ordinal}.${p.name}`,
            code: 'license_not_told',
            message: `${p.name}@${p.version} is NOASSERTION, and the order is strict.`,
            item_id: item.id,
          })),
      )
      return [...given, ...untold]
    },

    async beforeApply(ctx) {
      // Before the commit, so that a file in the way refuses the apply instead of leaving an effect that can never succeed.
      await noticesTarget(base(), ctx.order.payload.root ?? '.', ctx.order.payload.output ?? defaultOutput)
    },

    async apply(ctx) {
      const before = await ctx.records.list(collection)
      const entries: NoticeEntry[] = ctx.items.flatMap((item) =>
        item.result.packages.map(({ name, version, spdx, file, sha256, quote }) => ({ name, version, spdx, file, sha256, quote })),
      )
      for (const { name, version, ...proof } of entries)
        await ctx.records.put(collection, `${name}@${version}`, { name, version, ...proof, order_id: ctx.order.id })
      const after = await ctx.records.list(collection)
      const licences = (rows: readonly { value: unknown }[]) => new Set(rows.map((row) => (row.value as NoticeEntry).spdx)).size
      const output = ctx.order.payload.output ?? defaultOutput
      ctx.effect('write_notices', { root: ctx.order.payload.root ?? '.', output, entries })
      const told = new Set(entries.map((e) => e.spdx)).size
      return ctx.diff(
        { packages: before.length, licences: licences(before) },
        { packages: after.length, licences: licences(after) },
        `${entries.length} ${entries.length === 1 ? 'package' : 'packages'}, ${told} ${told === 1 ? 'licence' : 'licences'}; notices in ${output}`,
      )
    },

    effects: {
      write_notices: {
        // The same entries give the same bytes, so a second run is harmless.
        deduplicates: true,
        async run(input, { key }) {
          const { root, output, entries } = input as { root: string; output: string; entries: NoticeEntry[] }
          const written = await writeNotices(await noticesTarget(base(), root, output), entries, key)
          return { file: root === '.' ? output : `${root}/${output}`, packages: entries.length, ...written }
        },
      },
    },
  })
}

export const dependencyLicenseAudit = createLicenseAudit()

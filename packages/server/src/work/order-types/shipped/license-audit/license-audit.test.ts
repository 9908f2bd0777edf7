import { createHash } from 'node:crypto'
import { mkdir, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { testOrderType } from '../../../../../testing/order-type-kit.ts'
import { createLicenseAudit } from './dependency-license-audit.ts'
import { findLicense } from './license-evidence.ts'
import { readSpdx, sameSpdx } from './spdx.ts'
import { renderNotices } from './third-party-notices.ts'

const mit = 'MIT License\n\nCopyright (c) 2020 Someone\n\nPermission is hereby granted, free of charge, to any person obtaining a copy\n'
let base: string

async function install(at: string, manifest: object, files: Record<string, string> = {}): Promise<void> {
  await mkdir(path.join(base, at), { recursive: true })
  await writeFile(path.join(base, at, 'package.json'), JSON.stringify(manifest, null, 2))
  for (const [name, text] of Object.entries(files)) await writeFile(path.join(base, at, name), text)
}

beforeEach(async () => {
  base = await mkdtemp(path.join(tmpdir(), 'license-audit-'))
  await install('node_modules/alpha', { name: 'alpha', version: '1.0.0', license: 'MIT' }, { LICENSE: mit })
  await install('node_modules/@scope/beta', { name: '@scope/beta', version: '2.1.0', license: 'ISC' })
  await install(
    'node_modules/alpha/node_modules/gamma',
    { name: 'gamma', version: '0.1.0' },
    { COPYING: 'Apache License\nVersion 2.0, January 2004\n' },
  )
  await install('node_modules/.cache/hidden', { name: 'hidden', version: '1.0.0' })
  await install('packages/own', { name: 'own', version: '0.0.0' })
  await symlink(path.join(base, 'packages/own'), path.join(base, 'node_modules/own'))
  await mkdir(path.join(base, 'node_modules/leftover'))
})
afterEach(() => rm(base, { recursive: true }))

type Answer = Record<string, string>
const kitOf = () => testOrderType(createLicenseAudit(() => base))
const honest = async (item: { input: unknown }): Promise<{ packages: Answer[] }> => {
  const { packages } = item.input as { packages: { name: string; version: string; path: string }[] }
  return {
    packages: await Promise.all(packages.map(async ({ name, version, path: at }) => ({ name, version, ...(await findLicense(base, at)) }))),
  }
}

describe('planning', () => {
  it('takes the packages on disk: scoped and nested ones, no links, caches or leftovers', async () => {
    const items = await kitOf().plan({ packages_per_item: 2 })
    expect(items.map((i) => i.input)).toEqual([
      {
        root: '.',
        packages: [
          { name: '@scope/beta', version: '2.1.0', path: 'node_modules/@scope/beta' },
          { name: 'alpha', version: '1.0.0', path: 'node_modules/alpha' },
        ],
      },
      { root: '.', packages: [{ name: 'gamma', version: '0.1.0', path: 'node_modules/alpha/node_modules/gamma' }] },
    ])
  })

  it('include and limit narrow it, and a package that is not there is named', async () => {
    expect(await kitOf().plan({ include: ['gamma'] })).toHaveLength(1)
    expect((await kitOf().plan({ packages_per_item: 1, limit: 1 })).map((i) => i.input)).toMatchObject([
      { packages: [{ name: '@scope/beta' }] },
    ])
    await expect(kitOf().plan({ include: ['gamma', 'delta'] })).rejects.toThrow(/not installed under .*: delta$/)
  })

  it.each([['..'], ['/etc'], ['a/../..'], ['a\\b']])('refuses the root %s', async (root) => {
    await expect(kitOf().plan({ root })).rejects.toThrow(/must be a relative path inside/)
  })

  it('refuses a root that leads out by a link, is missing, or holds no packages', async () => {
    await symlink('/', path.join(base, 'out'))
    await expect(kitOf().plan({ root: 'out' })).rejects.toThrow(/leads out/)
    await expect(kitOf().plan({ root: 'nowhere' })).rejects.toThrow(/does not exist/)
    await expect(kitOf().plan({ root: 'packages' })).rejects.toThrow(/holds no node_modules/)
  })

  it.each(['src/main.ts', '../notices.md', '.git/x.md', 'node_modules/alpha/x.md'])('refuses the output %s', async (output) => {
    await expect(kitOf().plan({ output })).rejects.toThrow(/must be a relative path of an \.md file/)
  })
})

describe('checking', () => {
  const only = async (name: string) => {
    const kit = kitOf()
    const [item] = await kit.plan({ include: [name] })
    const result = await honest(item!)
    return {
      kit,
      answer: result.packages[0]!,
      submit: (change: Answer) => kit.submit(0, { packages: [{ ...result.packages[0], ...change }] }),
    }
  }

  it('accepts honest answers', async () => {
    const kit = kitOf()
    const items = await kit.plan({ packages_per_item: 2 })
    for (const [i, item] of items.entries()) expect(await kit.submit(i, await honest(item))).toEqual([])
  })

  it('an invented quote is refused with a sentence that teaches', async () => {
    const { submit } = await only('alpha')
    expect(await submit({ quote: 'This software is licensed under the MIT licence' })).toEqual([
      {
        check: 'quote_is_verbatim',
        field: 'packages.0.quote',
        code: 'quote_not_found',
        message: 'The quote does not occur in node_modules/alpha/LICENSE: copy the text exactly as it stands there.',
      },
    ])
  })

  it('a quote must speak about the licence', async () => {
    const { submit } = await only('@scope/beta')
    expect(await submit({ quote: '"version": "2.1.0"' })).toMatchObject([{ code: 'quote_irrelevant' }])
    expect(await submit({ quote: '          ' })).toMatchObject([{ code: 'quote_not_found' }])
  })

  it('a wrong hash is refused without giving the right one away', async () => {
    const { submit, answer } = await only('alpha')
    const [finding] = await submit({ sha256: '0'.repeat(64) })
    expect(finding).toMatchObject({ code: 'hash_mismatch', field: 'packages.0.sha256' })
    expect(finding?.message).not.toContain(answer['sha256'])
  })

  it.each([
    ['package.json', /must be a path inside node_modules\/alpha/],
    ['node_modules/alpha/../@scope/beta/package.json', /without '\.', '\.\.'/],
    ['node_modules/alpha/node_modules/gamma/COPYING', /nested node_modules/],
    ['node_modules/alpha/none', /does not exist/],
    ['node_modules/alpha/link', /leads out of the package/],
    ['node_modules/alpha/dir', /is not a regular file/],
    ['node_modules/alpha/big', /the server reads at most/],
  ])('the file %s is not accepted', async (file, message) => {
    await symlink('/etc/passwd', path.join(base, 'node_modules/alpha/link'))
    await mkdir(path.join(base, 'node_modules/alpha/dir'))
    await writeFile(path.join(base, 'node_modules/alpha/big'), 'x'.repeat(1024 * 1024 + 1))
    const { submit } = await only('alpha')
    const findings = await submit({ file })
    expect(findings).toMatchObject([{ code: 'file_not_accepted', field: 'packages.0.file' }])
    expect(findings[0]?.message).toMatch(message)
  })

  it('every package is answered exactly once', async () => {
    const kit = kitOf()
    const [item] = await kit.plan({ packages_per_item: 3 })
    const { packages } = await honest(item!)
    const findings = await kit.submit(0, { packages: [packages[0], packages[0], { ...packages[1], version: '9.9.9' }] })
    expect(findings.map((f) => f.code)).toEqual(['package_twice', 'package_not_requested', 'package_missing', 'package_missing'])
  })

  it('an expression must be SPDX, and NOASSERTION must be explained', async () => {
    const { submit } = await only('gamma')
    expect(await submit({ spdx: 'Apache 2' })).toMatchObject([{ code: 'spdx_invalid' }])
    const { kit, answer } = await only('gamma')
    const { notes: _, ...bare } = answer
    expect(await kit.submit(0, { packages: [{ ...bare, spdx: 'NOASSERTION' }] })).toMatchObject([{ code: 'notes_required' }])
  })

  it('an answer that differs from package.json needs a reason', async () => {
    const { submit } = await only('alpha')
    expect(await submit({ spdx: 'Apache-2.0' })).toMatchObject([{ code: 'declaration_differs' }])
    expect(await submit({ spdx: 'Apache-2.0', notes: 'The text was replaced in the fork.' })).toEqual([])
  })

  it('the file must not change between reading and handing in', async () => {
    const { submit } = await only('alpha')
    await writeFile(path.join(base, 'node_modules/alpha/LICENSE'), mit.replace('2020', '2021'))
    expect(await submit({})).toMatchObject([{ code: 'hash_mismatch' }])
  })
})

describe('approving and applying', () => {
  const audited = async (payload: object) => {
    const kit = kitOf()
    for (const [i, item] of (await kit.plan(payload)).entries()) expect(await kit.submit(i, await honest(item))).toEqual([])
    return kit
  }

  it('writes inventory and notices; applying again writes the same bytes', async () => {
    const kit = await audited({})
    expect(await kit.approve()).toEqual([])
    const diff = await kit.apply()
    expect(diff).toMatchObject({
      before: { packages: 0, licences: 0 },
      after: { packages: 3, licences: 3 },
      summary: '3 packages, 3 licences; notices in THIRD_PARTY_NOTICES.md',
    })
    expect(await kit.records.get('license_inventory', 'alpha@1.0.0')).toMatchObject({ spdx: 'MIT', file: 'node_modules/alpha/LICENSE' })
    const file = path.join(base, 'THIRD_PARTY_NOTICES.md')
    const first = await readFile(file, 'utf8')
    expect(first).toContain('## `@scope/beta@2.1.0`')
    expect([...kit.receipts.values()]).toEqual([
      {
        file: 'THIRD_PARTY_NOTICES.md',
        packages: 3,
        bytes: Buffer.byteLength(first),
        sha256: createHash('sha256').update(first).digest('hex'),
      },
    ])
    const again = await audited({})
    await again.approve()
    await again.apply()
    expect(await readFile(file, 'utf8')).toBe(first)
  })

  it('never overwrites a file that it did not write', async () => {
    const kit = await audited({})
    await kit.approve()
    await writeFile(path.join(base, 'THIRD_PARTY_NOTICES.md'), '# Mine\n')
    await expect(kit.apply()).rejects.toThrow(/was not written by an audit/)
    expect(await kit.records.list('license_inventory')).toEqual([])
    expect(await readFile(path.join(base, 'THIRD_PARTY_NOTICES.md'), 'utf8')).toBe('# Mine\n')
  })

  it('a strict order does not pass with NOASSERTION', async () => {
    await install('node_modules/delta', { name: 'delta', version: '1.0.0', license: 'SEE LICENSE IN terms.txt' })
    const kit = await audited({ include: ['delta'], strict: true })
    expect(await kit.approve()).toMatchObject([
      { code: 'license_not_told', message: 'delta@1.0.0 is NOASSERTION, and the order is strict.' },
    ])
  })
})

describe('SPDX expressions', () => {
  it.each([
    'MIT',
    '(MIT OR Apache-2.0)',
    'GPL-2.0-only WITH Classpath-exception-2.0',
    'LicenseRef-mine',
    'GPL-2.0+',
    '(MIT AND (ISC OR 0BSD))',
    'NOASSERTION',
  ])('%s is one', (expression) => {
    expect(readSpdx(expression)).toMatchObject({ ok: true })
  })
  it.each(['', 'MIT License', 'MIT/X11', '(MIT', 'MIT)', 'OR MIT', 'MIT OR', 'mit', 'UNLICENSED', 'SEE LICENSE IN x', '()', 'WITH MIT'])(
    '%j is none',
    (expression) => {
      expect(readSpdx(expression)).toMatchObject({ ok: false })
    },
  )
  it('are compared without case, spaces and outer parentheses', () => {
    expect(sameSpdx('(MIT OR  Apache-2.0)', 'mit or apache-2.0')).toBe(true)
    expect(sameSpdx('MIT', 'ISC')).toBe(false)
  })
})

describe('findLicense', () => {
  it('prefers the licence file, and falls back to the literal line of package.json', async () => {
    expect(await findLicense(base, 'node_modules/alpha')).toMatchObject({
      spdx: 'MIT',
      file: 'node_modules/alpha/LICENSE',
      quote: 'Permission is hereby granted, free of charge, to any person obtaining a copy',
    })
    expect(await findLicense(base, 'node_modules/@scope/beta')).toMatchObject({
      spdx: 'ISC',
      file: 'node_modules/@scope/beta/package.json',
      quote: '"license": "ISC"',
    })
  })

  it('recognises a text when package.json is silent, and says how it knew', async () => {
    expect(await findLicense(base, 'node_modules/alpha/node_modules/gamma')).toMatchObject({
      spdx: 'Apache-2.0',
      notes: expect.stringContaining('declares no licence'),
    })
  })

  it('the packages of this very project are all accepted', async () => {
    const root = path.resolve(import.meta.dirname, '../../../../../../..')
    const kit = testOrderType(createLicenseAudit(() => root))
    const items = await kit.plan({ packages_per_item: 25, output: 'license-audit-test.md' })
    expect(items.length).toBeGreaterThan(3)
    for (const [i, item] of items.entries()) {
      const { packages } = item.input as { packages: { name: string; version: string; path: string }[] }
      const answers = await Promise.all(
        packages.map(async (p) => ({ name: p.name, version: p.version, ...(await findLicense(root, p.path)) })),
      )
      expect(await kit.submit(i, { packages: answers })).toEqual([])
    }
  })
})

describe('the notices file', () => {
  it('renders what agents wrote as inert text', () => {
    const text = renderNotices([
      { name: 'a`b', version: '1', spdx: 'MIT', file: 'f', sha256: 's', quote: '<script>alert(1)</script>\n# Heading\r\nlicense' },
    ])
    expect(text).toContain('    <script>alert(1)</script>\n    # Heading\n    license')
    expect(text).toContain('`a b@1`')
    const hidden = { name: 'a\u202eb', version: '1', spdx: 'MIT', file: 'f', sha256: 's', quote: 'x\u001b[2J\u{e0041}\tlicense' }
    expect(renderNotices([hidden])).not.toMatch(/(?!\n)[\p{Cc}\p{Cf}]/u)
    expect(renderNotices([hidden])).toContain('a⟦U+202E⟧b')
  })
})

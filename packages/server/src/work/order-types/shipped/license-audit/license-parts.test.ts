import path from 'node:path'
import { beforeAll, expect, it } from 'vitest'
import { testOrderType } from '../../../../../testing/order-type-kit.ts'
import { createLicenseAudit } from './dependency-license-audit.ts'
import { findLicense } from './license-evidence.ts'

const root = path.resolve(import.meta.dirname, '../../../../../../..')
const include = ['typebox', 'picocolors']
interface Asked {
  readonly name: string
  readonly version: string
  readonly path: string
}

let kit: ReturnType<typeof testOrderType>
let asked: readonly Asked[]
const keyOf = ({ name, version }: Asked) => `${name}@${version}`
const answerTo = async ({ name, version, path: at }: Asked) => ({ name, version, ...(await findLicense(root, at)) })

beforeAll(async () => {
  kit = testOrderType(createLicenseAudit(() => root))
  const [item] = await kit.plan({ include, output: 'license-parts-test.md', packages_per_item: 25 })
  asked = (item!.input as { packages: Asked[] }).packages
})

it('a part must answer for a package of the item, under its own key', async () => {
  const [first, second] = asked as [Asked, Asked]
  expect(await kit.submitPart(0, 'left-pad@1.0.0', await answerTo(first))).toMatchObject([
    { field: 'part_key', code: 'package_not_requested', message: expect.stringContaining(keyOf(first)) },
  ])
  expect(await kit.submitPart(0, keyOf(second), await answerTo(first))).toMatchObject([{ field: 'name', code: 'part_key_differs' }])
  expect(await kit.submitPart(0, keyOf(first), { name: first.name })).not.toEqual([])
})

it('finalize names the packages that are missing, and checks the whole as any other result', async () => {
  const [first, ...others] = asked as [Asked, ...Asked[]]
  for (const other of others) expect(await kit.submitPart(0, keyOf(other), await answerTo(other))).toEqual([])
  expect(await kit.finalize(0)).toMatchObject([{ code: 'part.missing', field: keyOf(first) }])
  const answer = await answerTo(first)
  expect(await kit.submitPart(0, keyOf(first), { ...answer, quote: 'All use of this licence is invented.' })).toEqual([])
  expect(await kit.finalize(0)).toMatchObject([{ field: 'packages.0.quote', code: 'quote_not_found' }])
  expect(await kit.submitPart(0, keyOf(first), answer)).toEqual([])
  expect(await kit.finalize(0)).toEqual([])
})

import { chmod, cp, mkdir, readdir, readFile, readlink, rm, rmdir } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { afterEach, expect, test } from 'vitest'
import { candidateAccounts } from './account.ts'
import { locatePackage, makeLinks, type Package, prepareBinaries } from './binaries.ts'
import { temporaryDirectory } from './fixtures/rig.ts'
import { openHome } from './home.ts'

const isRoot = process.getuid?.() === 0
const COPIES = '/var/cache/work-manager'
afterEach(async () => {
  for (const name of await readdir(COPIES).catch(() => []))
    if (name.includes('0.0.0-test')) await rm(join(COPIES, name), { recursive: true })
  await rmdir(COPIES).catch(() => {}) // real copies may lie beside ours
})

test("the links that the package's install script would make are made at run time", async () => {
  const copy = await freshPackage()
  expect(await makeLinks(copy.root)).toBe(true)
  const links = JSON.parse(await readFile(join(copy.root, 'native', 'pg-symlinks.json'), 'utf8')) as { source: string; target: string }[]
  expect(links.length).toBeGreaterThan(0)
  for (const { source, target } of links)
    expect(join(copy.root, dirname(target), await readlink(join(copy.root, target)))).toBe(join(copy.root, source))
  expect(await makeLinks(copy.root)).toBe(true)
})

test('programs of a package installed without scripts run', async () => {
  const copy = await freshPackage()
  if (isRoot) await chmod(dirname(dirname(copy.root)), 0o755)
  const home = await openHome(await temporaryDirectory())
  const binaries = await prepareBinaries(home, await candidateAccounts(home), () => {}, copy)
  expect(binaries).toMatchObject({ major: '18', postgres: join(copy.root, 'native', 'bin', 'postgres') })
})

if (isRoot) {
  test('an account of its own comes before the one that everything powerless shares', async () => {
    const home = await openHome(await temporaryDirectory())
    const names = (await candidateAccounts(home)).map(({ name }) => name)
    expect(names).toContain('nobody')
    expect(names.at(-1)).toBe('nobody')
    expect(new Set(names).size).toBe(names.length)
  })

  test("root's programs behind a closed door are copied to where the account can read them", async () => {
    const copy = await freshPackage()
    await chmod(join(copy.root, 'native', 'bin', 'postgres'), 0o700) // as umask 077 leaves it
    const home = await openHome(await temporaryDirectory())
    const said: string[] = []
    const binaries = await prepareBinaries(home, await candidateAccounts(home), (line) => said.push(line), copy)
    expect(binaries.major).toBe('18')
    expect(binaries.postgres.startsWith(copy.root)).toBe(false)
    expect(said.join()).toContain('runs from a copy in')
  })
}

test('programs that cannot run here are refused with the way out', async () => {
  const copy = await freshPackage()
  await rm(join(copy.root, 'native', 'lib'), { recursive: true })
  await mkdir(join(copy.root, 'native', 'lib'))
  await rm(join(copy.root, 'native', 'pg-symlinks.json'))
  const home = await openHome(await temporaryDirectory())
  await expect(prepareBinaries(home, await candidateAccounts(home), () => {}, copy)).rejects.toMatchObject({
    code: 'unsupported_platform',
    message: expect.stringContaining('shared libraries'),
    fix: expect.stringContaining('DATABASE_URL'),
  })
})

/** The installed package as npm leaves it without its install script, in a private (0700) place. */
async function freshPackage(): Promise<Package> {
  const installed = await locatePackage()
  const root = join(await temporaryDirectory('node_modules'), 'platform')
  const links = new Set(
    (JSON.parse(await readFile(join(installed.root, 'native', 'pg-symlinks.json'), 'utf8')) as { target: string }[]).map(({ target }) =>
      join(installed.root, target),
    ),
  )
  await cp(installed.root, root, { recursive: true, filter: (path) => !links.has(path) })
  return { ...installed, version: '0.0.0-test', root }
}

/** What is special about the SDK for Python: its own tests, its types, its wheel, its guide and its example. */
import { spawn, spawnSync } from 'node:child_process'
import { cp, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { findPython, python } from '../testing/python.ts'

const root = fileURLToPath(new URL('../../../', import.meta.url))
const sdk = path.join(root, 'sdks/python')
const environment = { PATH: process.env['PATH'] ?? '', PYTHONPATH: path.join(sdk, 'src'), PYTHONDONTWRITEBYTECODE: '1' }
const builder = findPython('build, setuptools, wheel', 'python3-build python3-setuptools python3-wheel')
const checker = findPython('mypy', 'mypy')
let base: string
beforeAll(async () => void (base = await mkdtemp(path.join(tmpdir(), 'wm-python-'))))
afterAll(() => rm(base, { recursive: true }))

function run(command: string, args: readonly string[], env: object = environment): Promise<{ code: number | null; said: string }> {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, { cwd: base, env: { ...environment, ...env }, stdio: ['ignore', 'pipe', 'pipe'] })
    let said = ''
    for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk: Buffer) => (said += chunk.toString()))
    child.on('error', reject)
    child.on('close', (code) => resolve({ code, said }))
  })
}

it.skipIf(!python.isThere)('passes its own tests', async () => {
  const { code, said } = await run('python3', ['-m', 'unittest', 'discover', '-s', path.join(sdk, 'tests')])
  expect(code, said).toBe(0)
  expect(said).toMatch(/Ran \d+ tests/)
})

it.skipIf(!checker)('has types that hold, in the package, the driver, the example and the guide', async () => {
  const guide = await readFile(path.join(root, 'docs/python.md'), 'utf8')
  const snippets = [...guide.matchAll(/```python\n([\s\S]*?)```/g)].map((match) => match[1]!)
  expect(snippets.length).toBeGreaterThanOrEqual(3)
  expect(snippets[0]).toBe(await readFile(path.join(root, 'examples/agents/echo_agent.py'), 'utf8'))
  const files = await Promise.all(
    snippets.map(async (body, n) => {
      const file = path.join(base, `snippet_${n}.py`)
      await writeFile(file, body)
      return file
    }),
  )
  const own = [path.join(sdk, 'src/work_manager'), path.join(sdk, 'tests/contract_driver.py')]
  const { code, said } = await run(
    checker!,
    ['-m', 'mypy', '--strict', '--python-version', '3.10', '--cache-dir', base, ...own, ...files],
    {
      MYPYPATH: path.join(sdk, 'src'),
      PYTHONPATH: '',
    },
  )
  expect(code, said).toBe(0)
})

it.skipIf(!builder)('is built into a wheel without dependencies that runs from anywhere', async () => {
  const source = path.join(base, 'source')
  await cp(sdk, source, { recursive: true })
  const built = await run(builder!, ['-m', 'build', '--wheel', '--no-isolation', '--outdir', path.join(base, 'dist'), source], {
    PYTHONPATH: '',
  })
  expect(built.code, built.said).toBe(0)
  const [wheel] = await readdir(path.join(base, 'dist'))
  expect(wheel).toMatch(/^work_manager_sdk-\d+\.\d+\.\d+-py3-none-any\.whl$/)
  const look = `
import sys, zipfile
names = zipfile.ZipFile(sys.argv[1]).namelist()
metadata = zipfile.ZipFile(sys.argv[1]).read(next(n for n in names if n.endswith("METADATA"))).decode()
assert "work_manager/py.typed" in names and "Requires-Dist" not in metadata and "Requires-Python: >=3.10" in metadata, (names, metadata)
assert not [n for n in names if "test" in n or "pycache" in n], names
sys.path.insert(0, sys.argv[1])
import work_manager
assert work_manager.__file__.startswith(sys.argv[1])
print(work_manager.WorkManager(url="http://127.0.0.1:1", key="wm_x"))
`
  const used = await run('python3', ['-I', '-c', look, path.join(base, 'dist', wheel!)], { PYTHONPATH: '' })
  expect(used.code, used.said).toBe(0)
  const manifest = await readFile(path.join(sdk, 'pyproject.toml'), 'utf8')
  const { version } = JSON.parse(await readFile(path.join(root, 'packages/sdk/package.json'), 'utf8')) as { version: string }
  expect(manifest).toContain(`version = "${version}"`)
})

it('compiles under the oldest Python that it names, as far as its syntax says', () => {
  if (!python.isThere) return
  const check =
    'import ast, pathlib, sys\nfor f in pathlib.Path(sys.argv[1]).rglob("*.py"): ast.parse(f.read_text(), feature_version=(3, 10))'
  const { status, stderr } = spawnSync('python3', ['-c', check, sdk])
  expect(status, stderr.toString()).toBe(0)
})

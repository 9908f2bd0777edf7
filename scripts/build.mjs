/**
 * Builds the publishable packages into dist/<name>/: the source tree compiled in place (`.js` and `.d.ts` where `.ts` stood), so that
 * every relative path of the source, to migrations for example, is right in the published package too. Node does not run TypeScript
 * inside node_modules, hence the step.
 * `--verify` then tries them outside the repository (verify-packages.mjs); `.ci/run` asks for it.
 */
import { cpSync, existsSync, globSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { run, verifyPackages } from './verify-packages.mjs'

const root = fileURLToPath(new URL('..', import.meta.url))
const dist = path.join(root, 'dist')

/** In build order: a package comes after the packages it imports. */
const packages = ['contract', 'sdk', 'server']

const readJson = (file) => JSON.parse(readFileSync(file, 'utf8'))
const writeJson = (file, value) => writeFileSync(file, `${JSON.stringify(value, null, 2)}\n`)

/** `./src/index.ts` → where the compiled file and its types are. */
function compiledExport(target) {
  if (!target.endsWith('.ts')) return target
  return { types: target.replace(/\.ts$/, '.d.ts'), default: target.replace(/\.ts$/, '.js') }
}

function publishedManifest(manifest) {
  const { scripts, devDependencies: _, ...rest } = manifest
  const installScripts = ['preinstall', 'install', 'postinstall', 'prepare'].filter((name) => scripts?.[name] !== undefined)
  if (installScripts.length > 0) {
    throw new Error(
      `${manifest.name} has the install script ${installScripts.join(', ')}; a published package must install without running code.`,
    )
  }
  const exports = Object.fromEntries(Object.entries(manifest.exports ?? {}).map(([name, target]) => [name, compiledExport(target)]))
  return { ...rest, exports: { ...exports, './package.json': './package.json' }, files: undefined }
}

function build(name) {
  const from = path.join(root, 'packages', name)
  const to = path.join(dist, name)
  rmSync(to, { recursive: true, force: true })
  mkdirSync(to, { recursive: true })

  const config = path.join(dist, `tsconfig.${name}.json`)
  // Of the folder for tests only what others are meant to use is published: its entry and what that imports.
  const testing = readJson(path.join(from, 'package.json')).exports['./testing']
  writeJson(config, {
    extends: '../tsconfig.json',
    compilerOptions: {
      noEmit: false,
      noEmitOnError: true,
      allowImportingTsExtensions: false,
      declaration: true,
      rootDir: `../packages/${name}`,
      outDir: `./${name}`,
      // Compiled against the declarations of the packages built before it, or their source would be emitted a second time.
      paths: Object.fromEntries(builtBefore(name)),
    },
    include: [`../packages/${name}/src`],
    files: testing === undefined ? [] : [`../packages/${name}/${testing}`],
    exclude: ['../**/*.test.ts', '../**/cases.ts', '../**/fixtures', '../**/node_modules'],
  })
  run(process.execPath, [path.join(root, 'node_modules/@typescript/native/bin/tsc'), '-p', config], root)
  rmSync(config)

  for (const folder of ['bin', 'migrations', 'src']) {
    if (!existsSync(path.join(from, folder))) continue
    cpSync(path.join(from, folder), path.join(to, folder), { recursive: true, filter: (file) => !file.endsWith('.ts') })
  }
  for (const document of ['README.md', 'LICENSE']) {
    const own = [path.join(from, document), path.join(root, document)].find((file) => existsSync(file))
    if (own !== undefined) cpSync(own, path.join(to, document))
  }
  // The server serves its documents itself (doors/http/docs-routes.ts).
  if (name === 'server')
    cpSync(path.join(root, 'docs'), path.join(to, 'docs'), {
      recursive: true,
      filter: (file) => file === path.join(root, 'docs') || /\.(md|txt)$/.test(file),
    })
  writeJson(path.join(to, 'package.json'), publishedManifest(readJson(path.join(from, 'package.json'))))
  console.log(`built dist/${name}: ${globSync('**/*.js', { cwd: to }).length} modules`)
}

function builtBefore(name) {
  return packages.slice(0, packages.indexOf(name)).flatMap((other) => {
    const { name: packageName, exports } = readJson(path.join(dist, other, 'package.json'))
    return Object.entries(exports)
      .filter(([, target]) => typeof target === 'object')
      .map(([entry, { types }]) => [path.posix.join(packageName, entry), [`./${other}/${types.slice(2)}`]])
  })
}

const asked = process.argv.slice(2)
if (asked.some((argument) => argument !== '--verify')) {
  console.error('The only option is --verify: install the built packages in an empty folder and import them there.')
  process.exit(2)
}
try {
  packages.forEach(build)
  if (asked.includes('--verify')) await verifyPackages(root, packages)
} catch (error) {
  console.error(error.message)
  process.exitCode = 1
}

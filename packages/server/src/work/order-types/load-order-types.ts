/** Order types and generators from a directory of the user's: one file each, default export. */
import { readdir } from 'node:fs/promises'
import path from 'node:path'
import { pathToFileURL } from 'node:url'
import { isGenerator, type Generator } from '../generators/define-generator.ts'
import { DefinitionError, isOrderType, type OrderType } from './define-order-type.ts'
import { offerOwnPackages } from '../../config/own-packages.ts'

export interface LoadedOrderTypes {
  readonly types: readonly OrderType[]
  readonly generators: readonly Generator[]
}

const loadable = (name: string): boolean =>
  /\.(ts|mts|js|mjs)$/.test(name) && !/\.(d|test|spec)\.m?[tj]s$/.test(name) && !name.startsWith('.') && !name.startsWith('_')

/**
 * Imports every .ts, .mts, .js and .mjs file of the directory (not its subdirectories; not tests, not names that begin with _ or .).
 * The directory may be anywhere: what it does not have of our packages and the schema libraries is found here.
 * Refuses with: DefinitionError, which names each file that could not be used and why.
 */
export async function loadOrderTypes(directory: string): Promise<LoadedOrderTypes> {
  offerOwnPackages()
  const problems: string[] = []
  const types: OrderType[] = []
  const generators: Generator[] = []
  const origin = new Map<string, string>()
  let names: string[]
  try {
    names = (await readdir(directory, { withFileTypes: true })).filter((e) => !e.isDirectory() && loadable(e.name)).map((e) => e.name)
  } catch (cause) {
    throw new DefinitionError(`The order-type directory ${directory}`, [
      `it cannot be read (${(cause as NodeJS.ErrnoException).code ?? String(cause)}); create it or correct the setting`,
    ])
  }
  for (const name of names.sort()) {
    const file = path.join(directory, name)
    let exported: unknown
    try {
      exported = ((await import(pathToFileURL(path.resolve(file)).href)) as { default?: unknown }).default
    } catch (cause) {
      problems.push(`${file}: ${cause instanceof Error ? cause.message : String(cause)}`)
      continue
    }
    if (exported === undefined) problems.push(`${file}: has no default export; write \`export default defineOrderType({ … })\``)
    for (const one of exported === undefined ? [] : [exported].flat()) {
      const key = isOrderType(one) ? `order type '${one.type}'` : isGenerator(one) ? `generator '${one.name}'` : undefined
      if (key === undefined)
        problems.push(`${file}: its default export must come from defineOrderType or defineGenerator (or be a list of these)`)
      else if (origin.has(key)) problems.push(`${file}: ${key} is already defined in ${origin.get(key)}; rename one`)
      else {
        origin.set(key, file)
        if (isOrderType(one)) types.push(one)
        else generators.push(one as Generator)
      }
    }
  }
  if (problems.length > 0) throw new DefinitionError(`The order-type directory ${directory}`, problems)
  return { types, generators }
}

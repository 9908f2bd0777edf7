/** Client libraries of receivers are optional: they are loaded when a publisher that needs them is used. */
import { PublishError } from '../publisher.ts'

/** Of `names`, those that are not installed. */
export function missingPackages(names: readonly string[]): string[] {
  return names.filter((name) => {
    try {
      import.meta.resolve(name)
      return false
    } catch {
      return true
    }
  })
}

export const installAdvice = (names: readonly string[]): string => `npm install ${names.join(' ')}`

/** What `load` imports. Refuses with: PublishError (misconfigured), when the package is not there. */
export async function loadClient<T>(load: () => Promise<T>, names: readonly string[]): Promise<T> {
  try {
    return await load()
  } catch (cause) {
    throw new PublishError('misconfigured', `its client library is not installed: ${installAdvice(names)}`, { cause })
  }
}

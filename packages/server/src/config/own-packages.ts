/**
 * What files of users import (order types, the configuration) is found wherever they lie: our packages and the schema libraries are the
 * server's own copies where their directory has none. A copy that the directory has is left alone: somebody chose its version.
 */
import { registerHooks } from 'node:module'

const offered = /^(@work-manager\/(server|sdk|contract)|typebox|zod)(\/|$)/
const notFound = new Set(['ERR_MODULE_NOT_FOUND', 'MODULE_NOT_FOUND'])
let offering = false

/** For the whole process, once: a hook sees every import, and lets all but these pass. */
export function offerOwnPackages(): void {
  if (offering) return
  offering = true
  registerHooks({
    resolve(specifier, context, next) {
      if (!offered.test(specifier)) return next(specifier, context)
      try {
        return next(specifier, context)
      } catch (error) {
        if (!notFound.has((error as NodeJS.ErrnoException).code ?? '')) throw error
        return next(specifier, { ...context, parentURL: import.meta.url })
      }
    },
  })
}

/**
 * Ends every test run with one plain line, `N passed, N failed`, that people and machines can read.
 * A test file that could not be loaded and an error outside any test count as failures, so that the line never looks
 * better than the run was.
 */
import { writeSync } from 'node:fs'
import type { Reporter } from 'vitest/node'

/** A reporter for vitest.config.ts; a run without a single executed test fails. */
export function testCountReporter(): Reporter {
  let passed = 0
  let failed = 0
  let skipped = 0

  return {
    onInit(vitest) {
      if (vitest.config.watch) return
      // Written at the very end of the process: other reporters and the global teardown may still print after the last test.
      process.on('exit', () => {
        if (passed + failed === 0) {
          process.exitCode = 1
          writeSync(1, '\nNo test ran, so the run failed: see the error above, or the path that npm test was given.')
        }
        writeSync(1, `\n${passed} passed, ${failed} failed${skipped > 0 ? `, ${skipped} skipped` : ''}\n`)
      })
    },
    onTestRunEnd(testModules, unhandledErrors) {
      failed += unhandledErrors.length
      for (const module of testModules) {
        const before = failed
        for (const test of module.children.allTests()) {
          const { state } = test.result()
          if (state === 'passed') passed += 1
          else if (state === 'failed') failed += 1
          else skipped += 1
        }
        // A broken import or a failing beforeAll leaves no failed test behind, only a failed file.
        if (!module.ok() && failed === before) failed += 1
      }
    },
  }
}

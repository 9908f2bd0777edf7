/** What the servers of a test file say to the database for requests: each statement is one round trip. Made before any server starts. */
import pg from 'pg'
import { vi } from 'vitest'

export interface RoundTrips {
  /** Names of statements, or their first words, in their order, while `work` runs. Setting up a new connection does not count. */
  during(work: () => Promise<unknown>): Promise<readonly string[]>
  stop(): void
}

export function listenToRoundTrips(): RoundTrips {
  let heard: string[] | null = null
  const { query } = pg.Client.prototype
  const spy = vi.spyOn(pg.Client.prototype, 'query').mockImplementation(function (this: pg.Client, ...given: unknown[]) {
    const { application_name: name } = (this as unknown as { connectionParameters: { application_name?: string } }).connectionParameters
    const [asked] = given as [string | { text: string; name?: string }]
    const said = typeof asked === 'string' ? asked.split(';')[0]! : (asked.name ?? asked.text)
    if (name === 'work-manager wm_app' && !said.startsWith('select set_config')) heard?.push(said)
    return Reflect.apply(query, this, given)
  } as never)
  return {
    async during(work) {
      const mine: string[] = (heard = [])
      await work().finally(() => (heard = null))
      return mine
    },
    stop: () => spy.mockRestore(),
  }
}

import { expect, it } from 'vitest'
import { fewestConnections, shareConnections } from './share-connections.ts'

it('never opens more connections than it may, and every pool has its own', () => {
  for (let most = fewestConnections; most <= 500; most++) {
    const { app, system, hot, windows } = shareConnections(most)
    expect(app + system + hot + windows, `of ${most}`).toBe(most)
    expect(Math.min(app, system), `of ${most}`).toBeGreaterThanOrEqual(2)
    expect(Math.min(hot, windows), `of ${most}`).toBeGreaterThanOrEqual(1)
  }
})

it('leaves most of the usual number to requests', () => expect(shareConnections(24)).toEqual({ app: 12, system: 6, hot: 4, windows: 2 }))

it('refuses so few that a pool would have none', () =>
  expect(() => shareConnections(fewestConnections - 1)).toThrow('5 database connections'))

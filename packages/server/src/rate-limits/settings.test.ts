import { expect, test } from 'vitest'
import { ConfigError, loadConfig } from '../config/index.ts'
import { rateLimitSettings } from './settings.ts'

const load = (env: Record<string, string>) => loadConfig({ env, cwd: import.meta.dirname })
async function problems(env: Record<string, string>): Promise<readonly string[]> {
  const error = await load(env).catch((thrown: unknown) => thrown)
  expect(error).toBeInstanceOf(ConfigError)
  return (error as ConfigError).problems
}

test('with nothing set, the limits are those that the seeds promise, and strangers get less than anybody', async () => {
  expect(rateLimitSettings(await load({}))).toEqual({
    enabled: true,
    perMinute: { enterprise: 10_000, professional: 1_000, default: 500, free: 100 },
    anonymousPerMinute: 60,
    tenantPerMinute: null,
    typePerMinute: null,
    burstSeconds: 60,
  })
})

test('limits of zero, below, of no number, or that cannot be meant are problems in one list, each with a sentence', async () => {
  const found = await problems({
    WORK_MANAGER_RATE_LIMITS_FREE_PER_MINUTE: '0',
    WORK_MANAGER_RATE_LIMITS_DEFAULT_PER_MINUTE: '-5',
    WORK_MANAGER_RATE_LIMITS_TENANT_PER_MINUTE: '0',
    WORK_MANAGER_RATE_LIMITS_TYPE_PER_MINUTE: '-1',
    WORK_MANAGER_RATE_LIMITS_ANONYMOUS_PER_MINUTE: 'none',
    WORK_MANAGER_RATE_LIMITS_BURST_SECONDS: '0',
    WORK_MANAGER_RATE_LIMITS_ENTERPRISE_PER_MINUTE: '2000000',
  })
  expect(found).toHaveLength(7)
  for (const sentence of found) expect(sentence).toMatch(/RATE_LIMITS_\w+ .*(whole number|from 1 to|at least 1)/)
})

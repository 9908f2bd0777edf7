/** Wrong settings of metrics are said at the start, with what to do. */
import { expect, it } from 'vitest'
import { loadConfig, ConfigError } from '../config/index.ts'
import { metricsDrivers } from './drivers/index.ts'

const load = (env: Record<string, string>, notice?: (text: string) => void) => loadConfig({ env, cwd: import.meta.dirname, notice })
async function problems(env: Record<string, string>): Promise<string> {
  const error = await load(env).catch((thrown: unknown) => thrown)
  expect(error).toBeInstanceOf(ConfigError)
  return (error as Error).message
}

it.each(Object.keys(metricsDrivers))('%s is a driver', async (driver) => {
  expect((await load({ WORK_MANAGER_METRICS_DRIVER: driver })).metrics.driver).toBe(driver)
})

it.each([
  ['promethius', 'prometheus'],
  ['StatsD2', 'statsd'],
  ['oteel', 'otel'],
])('%s is none; it probably means %s', async (driver, meant) => {
  const said = await problems({ WORK_MANAGER_METRICS_DRIVER: driver })
  expect(said).toContain(
    `WORK_MANAGER_METRICS_DRIVER is '${driver}'; accepted: one of prometheus, log, otel, statsd, null; did you mean ${meant}?`,
  )
})

it.each([
  ['WORK_MANAGER_METRICS_INTERVAL_SECONDS', '0', 'a whole number from 1 to 3600'],
  ['WORK_MANAGER_METRICS_PORT', '-1', 'a whole number from 0 to 65535'],
  ['WORK_MANAGER_METRICS_STATSD_PORT', '0', 'a whole number from 1 to 65535'],
  ['WORK_MANAGER_METRICS_STATSD_HOST', 'udp://agent:8125', 'bare host name'],
  ['WORK_MANAGER_METRICS_OTLP_ENDPOINT', 'collector:4318', 'http://127.0.0.1:4318'],
  ['WORK_MANAGER_METRICS_TOKEN', 'short', 'at least 16 characters'],
  ['WORK_MANAGER_METRICS_PORT', '7420', 'metrics.port and server.port are both 7420'],
])('%s=%s is refused', async (name, value, why) => {
  const said = await problems({ [name]: value })
  expect(said).toContain(why)
  if (name.endsWith('TOKEN')) expect(said).not.toContain(value)
})

it('what works, but not as somebody may think, is said', async () => {
  const said: string[] = []
  await load({ WORK_MANAGER_METRICS_DRIVER: 'log', WORK_MANAGER_LOG_LEVEL: 'warn', WORK_MANAGER_METRICS_PORT: '9464' }, (text) =>
    said.push(text),
  )
  await load({ WORK_MANAGER_METRICS_PORT: '9464', WORK_MANAGER_METRICS_HOST: '0.0.0.0' }, (text) => said.push(text))
  expect(said.join('\n')).toMatch(/logged as info and will not be seen/)
  expect(said.join('\n')).toMatch(/metrics\.port has no effect/)
  expect(said.join('\n')).toMatch(/metrics\.token is not set: other machines can read \/metrics/)
})

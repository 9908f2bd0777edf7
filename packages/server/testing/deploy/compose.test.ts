/** deploy/compose.yaml: read as YAML, and true about everything that it names. */
import { existsSync, readFileSync } from 'node:fs'
import path from 'node:path'
import { beforeAll, describe, expect, it } from 'vitest'
import { parse } from 'yaml'
import { loadConfig } from '../../src/config/index.ts'
import { settings } from '../../src/config/settings.ts'
import { root } from '../doc-snippets.ts'

const file = path.join(root, 'deploy', 'compose.yaml')
let compose: any
beforeAll(() => {
  compose = parse(readFileSync(file, 'utf8'), { merge: true })
})
const servers = (): any[] => [compose.services['server-1'], compose.services['server-2']]
const secretVariables = settings.filter(({ schema }) => schema.secret === true).flatMap(({ env }) => env.map((name) => `${name}_FILE`))

describe('deploy/compose.yaml', () => {
  it('every network, volume, secret and config that a service names is there', () => {
    for (const [name, service] of Object.entries<any>(compose.services)) {
      for (const secret of service.secrets ?? []) expect(Object.keys(compose.secrets), name).toContain(secret)
      for (const { source } of service.configs ?? []) expect(Object.keys(compose.configs), name).toContain(source)
      const networks: string[] = Array.isArray(service.networks) ? service.networks : Object.keys(service.networks)
      expect(Object.keys(compose.networks)).toEqual(expect.arrayContaining(networks))
      for (const other of Object.keys(service.depends_on ?? {})) expect(Object.keys(compose.services), name).toContain(other)
      for (const variable of Object.entries<string>(service.environment ?? {}).filter(([key]) => key.endsWith('_FILE')))
        expect(service.secrets, name).toContain(path.basename(variable[1]))
    }
    expect(existsSync(path.join(root, 'deploy', servers()[0].build.context, servers()[0].build.dockerfile))).toBe(true)
    expect(existsSync(path.join(root, 'deploy', 'nginx.conf'))).toBe(true)
  })

  it('its settings are settings, and no secret stands in the environment', async () => {
    for (const service of [...servers(), compose.services.migrate]) {
      const environment = service.environment as Record<string, string>
      const plain = Object.fromEntries(
        Object.entries(environment)
          .filter(([name]) => !secretVariables.includes(name))
          .map(([name, value]) => [name, value.replace(/\$\{\w+:-(\w+)\}/g, '$1')]),
      )
      expect(Object.keys(plain).filter((name) => name.endsWith('_FILE'))).toEqual([])
      const config = await loadConfig({ env: plain, cwd: root })
      const [{ subnet }] = compose.networks.inside.ipam.config
      expect(config.server.trust_proxy).toEqual([subnet])
      expect(config.database.url).toBeUndefined()
    }
  })

  it('servers are shut in, do not know the owner, and have longer to stop than they take', async () => {
    const { server } = await loadConfig({ env: {}, cwd: root })
    for (const service of servers()) {
      expect(service).toMatchObject({ read_only: true, cap_drop: ['ALL'], security_opt: ['no-new-privileges:true'] })
      expect(JSON.stringify([service.environment, service.secrets])).not.toMatch(/admin|owner/i)
      expect(Number.parseInt(service.stop_grace_period, 10)).toBeGreaterThan(server.drain_seconds + 10)
      expect(service.depends_on).toEqual({ migrate: { condition: 'service_completed_successfully' } })
    }
    expect(compose.services.migrate.command).toEqual(['migrate'])
  })

  it('nginx asks the servers where they are', () => {
    const { content } = compose.configs.upstream
    for (const service of servers()) expect(content).toContain(`server ${service.networks.inside.ipv4_address}:7420 max_fails=0;`)
    const shape = (text: string) =>
      text
        .replace(/#.*/g, '')
        .replace(/[\d.]+:\d+/g, '')
        .replace(/\s+/g, ' ')
        .trim()
    expect(shape(content)).toBe(shape(readFileSync(path.join(root, 'deploy', 'nginx-upstream.conf'), 'utf8')))
  })
})

/** What the server says about itself, without a key: that it lives, that it is ready, and what it offers. */
import type { FastifyInstance } from 'fastify'
import { WorkError } from '@work-manager/contract'
import type { Operation } from '../../kernel/operations/operation.ts'
import { sendDocument, sendRefusal } from './answer.ts'
import { addDocsRoutes, docsPaths } from './docs-routes.ts'
import { addMetricsRoute, type MetricsAccess, metricsPath } from './metrics-route.ts'
import { buildOpenApi } from './openapi.ts'

export interface Readiness {
  readonly ok: boolean
  /** Name of a check → `ok`, or what is wrong, in words without secrets. */
  readonly checks: Readonly<Record<string, string>>
}

export interface Health {
  /** False when only a restart helps. */
  readonly live: () => boolean
  readonly ready: () => Promise<Readiness>
}

export const systemPaths = ['/', '/livez', '/readyz', metricsPath, '/openapi.json', ...docsPaths] as const

interface SystemOptions {
  readonly operations: readonly Operation[]
  readonly mounts: readonly string[]
  readonly version: string
  readonly health: Health
  readonly metrics?: MetricsAccess
  readonly draining: () => boolean
}

export function addSystemRoutes(app: FastifyInstance, options: SystemOptions): void {
  const { operations, mounts, version, health, draining } = options
  let openApi: string | undefined
  const document = () => buildOpenApi(operations, { version, mounts })

  app.get('/', (request, reply) => {
    const links = {
      operations: mounts[0],
      mcp: '/mcp',
      docs: '/docs',
      llms: '/llms.txt',
      openapi: '/openapi.json',
      live: '/livez',
      ready: '/readyz',
    }
    sendDocument(reply, 200, { name: 'Work Manager', version, links }, request.id)
  })

  app.get('/livez', (request, reply) => {
    const live = health.live()
    sendDocument(reply, live ? 200 : 503, { status: live ? 'ok' : 'failing' }, request.id)
  })

  app.get('/readyz', (request, reply) => {
    if (draining()) {
      sendRefusal(reply, new WorkError('draining'), request.id)
      return
    }
    health.ready().then(
      ({ ok, checks }) => sendDocument(reply, ok ? 200 : 503, { status: ok ? 'ok' : 'not_ready', checks }, request.id),
      // A check that throws is a check that failed; its text may name hosts and users, so it stays inside.
      () => sendDocument(reply, 503, { status: 'not_ready', checks: {} }, request.id),
    )
  })

  app.get('/openapi.json', (request, reply) => {
    openApi ??= JSON.stringify(document())
    sendDocument(reply, 200, openApi, request.id)
  })

  addMetricsRoute(app, options.metrics ?? { token: undefined, expose: null })
  addDocsRoutes(app, document)
}

/**
 * The documentation that a running server serves, without a key and without asking anybody else: the reference at /docs, the guides at
 * /docs/<name>.md, and /llms.txt for language models. The names are a fixed list, so no path of a request ever reaches the file system.
 */
import { readFile } from 'node:fs/promises'
import type { FastifyInstance, FastifyReply } from 'fastify'
import { WorkError } from '@work-manager/contract'
import { answerHeaders, sendRefusal } from './answer.ts'
import { mustBeRead } from './connections.ts'
import { renderDocsPage, type ReferenceDocument } from './docs-page.ts'

/** The files of docs/ that are served; a test compares the list with the directory. */
export const guides = [
  'README.md',
  'agents.md',
  'benchmarks.md',
  'caching.md',
  'cli.md',
  'config.md',
  'conformance.md',
  'deploy.md',
  'errors.md',
  'governance.md',
  'security.md',
  'http-api.md',
  'lifecycle.md',
  'metrics.md',
  'operations.md',
  'order-types.md',
  'publishers.md',
  'python.md',
  'redis.md',
  'sdk.md',
  'tracing.md',
] as const

export const docsPaths = ['/docs', '/llms.txt', '/docs/llms.txt', '/docs/openapi.json', ...guides.map((name) => `/docs/${name}`)]

/** In a published package the documents lie in the package, in the repository two levels above it. */
const places = ['../../../docs/', '../../../../../docs/'].map((place) => new URL(place, import.meta.url))

/** Adds the routes. Refuses with: not_found (this copy of the server came without documents). */
export function addDocsRoutes(app: FastifyInstance, document: () => object): void {
  let page: ReturnType<typeof renderDocsPage> | undefined

  app.get('/docs', (request, reply) => {
    page ??= renderDocsPage(document() as ReferenceDocument)
    mustBeRead(reply.raw, page.html.length)
    reply
      .headers({
        ...publicHeaders('text/html; charset=utf-8', request.id),
        'content-security-policy': page.contentSecurityPolicy,
        'referrer-policy': 'no-referrer',
      })
      .send(page.html)
  })
  // The guides name it as their neighbour.
  app.get('/docs/openapi.json', (_request, reply) => reply.redirect('/openapi.json', 308))
  for (const [path, file, type] of [
    ['/llms.txt', 'llms.txt', 'text/plain; charset=utf-8'],
    ['/docs/llms.txt', 'llms.txt', 'text/plain; charset=utf-8'],
    ...guides.map((name) => [`/docs/${name}`, name, 'text/markdown; charset=utf-8'] as const),
  ] as const) {
    app.get(path, (request, reply) => void sendFile(reply, file, type, request.id))
  }
}

async function sendFile(reply: FastifyReply, file: string, type: string, requestId: string): Promise<void> {
  for (const place of places) {
    const text = await readFile(new URL(file, place), 'utf8').catch(() => null)
    if (text === null) continue
    mustBeRead(reply.raw, text.length)
    reply.headers(publicHeaders(type, requestId)).send(text)
    return
  }
  sendRefusal(
    reply,
    new WorkError('not_found', { detail: 'This server came without its documents.', fix: 'Read /docs and /openapi.json instead.' }),
    requestId,
  )
}

/** The same for everybody, so it may be kept for a while. */
const publicHeaders = (type: string, requestId: string): Record<string, string> => {
  const { vary: _, ...headers } = answerHeaders(type, requestId)
  return { ...headers, 'cache-control': 'public, max-age=300' }
}

import { hash } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { startTestServer, type TestServer } from '../../../testing/test-server.ts'
import { operations } from '../../systems.ts'
import { renderDocsPage } from './docs-page.ts'
import { guides } from './docs-routes.ts'

let server: TestServer
beforeAll(async () => {
  server = await startTestServer({ background: false })
})
afterAll(() => server.stop())

const get = async (path: string, init: RequestInit = {}) => {
  const response = await fetch(`${server.url}${path}`, init)
  return { status: response.status, headers: response.headers, text: await response.text() }
}

describe('/docs', () => {
  it('shows every operation, without a key', async () => {
    const { status, headers, text } = await get('/docs')
    expect([status, headers.get('content-type')]).toEqual([200, 'text/html; charset=utf-8'])
    for (const { name } of operations) expect(text).toContain(`id="${name}"`)
    expect(text.match(/<h4>Example<\/h4>/g)).toHaveLength(operations.length)
  })

  it('asks nobody for anything, and its policy allows its own style and script only', async () => {
    const { headers, text } = await get('/docs')
    expect(text.match(/<[^>]* (src|href|action)="(?!#|\/)[^>]*>|url\(|@import|<(link|img|iframe)|<[^>]* (on\w+|style)=/g)).toBeNull()
    const policy = headers.get('content-security-policy')!
    expect(policy).toMatch(/^default-src 'none'; /)
    expect(policy).not.toContain('unsafe')
    for (const [, tag, inside] of text.matchAll(/<(style|script)>([^]*?)<\/\1>/g))
      expect(policy).toContain(`${tag}-src 'sha256-${hash('sha256', inside!, 'base64')}'`)
  })

  it('leads only to what is there', async () => {
    const { text } = await get('/docs')
    const ids = new Set([...text.matchAll(/ id="([^"]+)"/g)].map(([, id]) => id))
    for (const [, target] of text.matchAll(/href="([^"]+)"/g)) {
      if (target!.startsWith('#')) expect(ids.has(target!.slice(1)), target).toBe(true)
      else expect((await get(target!)).status, target).toBe(200)
    }
  })

  it('prints nothing that is not escaped', () => {
    const evil = `<img src=x onerror=alert(1)>"'&`
    const described = {
      operationId: evil,
      tags: [evil],
      summary: evil,
      description: `\`${evil}\``,
      parameters: [{ name: evil, in: evil, description: evil, schema: { enum: [evil], description: evil } }],
      requestBody: { content: { 'application/json': { schema: { properties: { [evil]: { type: evil } } } } } },
      responses: {
        200: { content: { 'application/json': { schema: { properties: { [evil]: { $ref: `#/components/schemas/${evil}` } } } } } },
      },
    }
    const { html } = renderDocsPage({
      info: { version: evil },
      servers: [{ url: evil }],
      tags: [{ name: evil }],
      paths: { [evil]: { [evil]: described } },
      components: { schemas: { [evil]: { properties: { [evil]: { const: evil } } } } },
    })
    expect(html).not.toContain('<img')
    expect(html).not.toMatch(/="[^"]*"'&/)
  })
})

describe('guides and llms.txt', () => {
  it('are served as text, by name', async () => {
    for (const name of guides) {
      const { status, headers, text } = await get(`/docs/${name}`)
      expect([status, headers.get('content-type'), headers.get('x-content-type-options')], name).toEqual([
        200,
        'text/markdown; charset=utf-8',
        'nosniff',
      ])
      expect(text, name).toMatch(/^# /)
    }
    expect((await get('/llms.txt')).headers.get('content-type')).toBe('text/plain; charset=utf-8')
    expect((await get('/docs/openapi.json')).text).toContain('"openapi":"3.1.0"')
  })

  it('nothing else is, however it is spelled', async () => {
    for (const path of [
      '/docs/../package.json',
      '/docs/%2e%2e/package.json',
      '/docs/..%2fpackage.json',
      '/docs/..%5cREADME.md',
      '/docs/decisions/README.md',
      '/docs/package.json',
    ])
      expect((await get(path)).status, path).toBe(404)
    expect((await get('/docs', { method: 'POST' })).status).toBe(405)
  })

  it('the first page names the doors', async () => {
    const { links } = JSON.parse((await get('/')).text) as { links: Record<string, string> }
    expect(links).toMatchObject({ mcp: '/mcp', docs: '/docs', llms: '/llms.txt' })
  })
})

/**
 * The page behind `review_url`, for the person whom an agent sends there: how this order is decided. It reads nothing and needs no key,
 * so it shows nothing of the order; who may look and decide proves it with a key, at the terminal or over HTTP.
 */
import { uuidPattern } from '../../kernel/uuid.ts'
import { hash } from 'node:crypto'
import type { FastifyInstance } from 'fastify'
import { WorkError } from '@work-manager/contract'

const style = `
:root{--text:#1c2330;--soft:#5a6577;--ground:#fff;--panel:#f5f7fa}
@media(prefers-color-scheme:dark){:root{--text:#e3e8f0;--soft:#9aa7ba;--ground:#12161c;--panel:#1a2029}}
body{margin:0 auto;max-width:54rem;padding:2rem 1rem;background:var(--ground);color:var(--text);font:16px/1.5 system-ui,sans-serif}
h1{margin:0;font-size:1.6rem}h2{margin:2rem 0 .4rem;font-size:1.1rem}
code,pre{font-family:ui-monospace,Menlo,Consolas,monospace;font-size:.86em}code{overflow-wrap:anywhere}
pre{margin:.4rem 0;padding:.8rem;border-radius:.5rem;background:var(--panel);white-space:pre-wrap;overflow-wrap:anywhere}
small{color:var(--soft)}
`
const styleHash = hash('sha256', style, 'base64')

/** Adds the page under each mount. Refuses with: id_malformed. */
export function addReviewPage(app: FastifyInstance, mounts: readonly string[]): void {
  for (const mount of mounts) {
    app.get<{ Params: { order: string } }>(`${mount}/orders/:order/review`, (request, reply) => {
      const order = request.params.order.toLowerCase()
      if (!uuidPattern.test(order)) throw new WorkError('id_malformed')
      reply
        .headers({
          'content-type': 'text/html; charset=utf-8',
          'content-security-policy': `default-src 'none'; style-src 'sha256-${styleHash}'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'`,
          'cache-control': 'private, no-store',
          'referrer-policy': 'no-referrer',
          'x-content-type-options': 'nosniff',
          'x-request-id': request.id,
        })
        .send(page(order, mount))
    })
  }
}

function page(order: string, mount: string): string {
  return `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>Work order ${order}</title>
<style>${style}</style>
<h1>A work order waits for your decision</h1>
<p>Order <code>${order}</code>. An agent asked you to look at it; only a person can approve or reject it.</p>
<h2>At a terminal on the machine of the server</h2>
<pre>npx work-manager approve ${order}</pre>
<p><code>approve</code> shows what would change, asks, and approves exactly what it showed. To send it back:</p>
<pre>npx work-manager reject ${order} --reason "what is wrong" --rework</pre>
<p><small>Elsewhere, add <code>--url</code> and <code>--key-file</code>.</small></p>
<h2>From a program, with a person's key</h2>
<pre>GET ${mount}/orders/${order}</pre>
<pre>POST ${mount}/orders/${order}/approve

{"digest": "as the first answer shows it"}</pre>
<pre>POST ${mount}/orders/${order}/reject

{"errors": [{"code": "…", "message": "…"}], "allow_rework": true}</pre>
</html>
`
}

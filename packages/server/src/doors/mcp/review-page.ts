/**
 * The page behind `review_url`, for the person whom an agent sends there: how this order is decided. It reads nothing and needs no key,
 * so it shows nothing of the order; who may look and decide proves it with a key, at the terminal or over HTTP.
 */
import type { FastifyInstance } from 'fastify'
import { WorkError } from '@work-manager/contract'

const uuid = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/

/** Adds the page under each mount. Refuses with: id_malformed. */
export function addReviewPage(app: FastifyInstance, mounts: readonly string[]): void {
  for (const mount of mounts) {
    app.get<{ Params: { order: string } }>(`${mount}/orders/:order/review`, (request, reply) => {
      const order = request.params.order.toLowerCase()
      if (!uuid.test(order)) throw new WorkError('id_malformed')
      reply
        .headers({
          'content-type': 'text/html; charset=utf-8',
          'content-security-policy': "default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'",
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
<meta name="viewport" content="width=device-width">
<title>Work order ${order}</title>
<h1>A work order waits for your decision</h1>
<p>Order <code>${order}</code>. An agent asked you to look at it; only a person can approve or reject it.</p>
<h2>At a terminal on the machine of the server</h2>
<pre>work-manager approve ${order}
work-manager reject ${order} --reason "what is wrong" --rework</pre>
<p><code>approve</code> shows what would change, asks, and approves exactly what it showed. Elsewhere, add <code>--url</code> and <code>--key-file</code>.</p>
<h2>From a program, with a person's key</h2>
<pre>GET  ${mount}/orders/${order}
POST ${mount}/orders/${order}/approve   {"digest": "as the first answer shows it"}
POST ${mount}/orders/${order}/reject    {"errors": [{"code": "…", "message": "…"}], "allow_rework": true}</pre>
</html>
`
}

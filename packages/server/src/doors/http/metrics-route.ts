/** /metrics on the main port: for this machine, or with the token. */
import { WorkError } from '@work-manager/contract'
import type { FastifyInstance } from 'fastify'
import type { Exposition } from '../../metrics/metrics.ts'
import { judgeScrape } from '../../metrics/who-may-scrape.ts'
import { answerHeaders, sendRefusal } from './answer.ts'

export interface MetricsAccess {
  readonly token: string | undefined
  /** Null when the chosen driver is not scraped. */
  readonly expose: ((accept: string | undefined) => Promise<Exposition>) | null
}

export const metricsPath = '/metrics'

export function addMetricsRoute(app: FastifyInstance, { token, expose }: MetricsAccess): void {
  app.get(metricsPath, (request, reply) => {
    const verdict = judgeScrape({ address: request.socket.remoteAddress, headers: request.headers }, { token, openToAll: false })
    if (verdict !== 'welcome') {
      const fix = 'Send metrics.token as bearer token, scrape from this machine by its address, or open metrics.port.'
      const error = verdict === 'token_wrong' ? new WorkError('key_unknown', { fix }) : new WorkError('auth_required', { fix })
      return sendRefusal(reply, error, request.id)
    }
    if (!expose)
      return sendRefusal(
        reply,
        new WorkError('not_found', {
          detail: 'The metrics of this server are not scraped.',
          fix: 'Set metrics.driver to prometheus, or look where the configured driver sends them.',
        }),
        request.id,
      )
    expose(request.headers.accept).then(
      ({ contentType, body }) => reply.headers({ ...answerHeaders(contentType, request.id), vary: 'Accept, Authorization' }).send(body),
      () => sendRefusal(reply, new WorkError('internal'), request.id),
    )
  })
}

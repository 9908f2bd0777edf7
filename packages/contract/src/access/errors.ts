import { defineErrors } from '../kernel/errors.ts'

/** Who asks, and whether they may. */
export const accessErrors = {
  ...defineErrors('Who you are and what you may do', {
    auth_required: {
      status: 401,
      retry: 'never',
      title: 'No credentials were sent.',
      fix: 'Send Authorization: Bearer <key>; make a key with `npx work-manager keys create`.',
      tools: { fix: 'Give the client a key of its own: `npx work-manager mcp install`.' },
    },
    auth_malformed: {
      status: 401,
      retry: 'never',
      title: 'The credentials cannot be read.',
      fix: 'Send exactly: Authorization: Bearer wm_… (no quotes, no placeholder).',
      tools: { fix: 'Give the client the key as it was made, wm_…; `npx work-manager mcp install` does it.' },
    },
    key_unknown: { status: 401, retry: 'never', title: 'The key is not known.', fix: 'Check that the key belongs to this server; make a new one with `npx work-manager keys create`.' },
    key_expired: { status: 401, retry: 'never', title: 'The key has expired.', fix: 'Rotate it: `npx work-manager keys rotate`. An invitation: ask for a new one.' },
    key_revoked: { status: 401, retry: 'never', title: 'The key was revoked.', fix: 'Ask the owner of the tenant for a new one.' },
    scope_missing: { status: 403, retry: 'never', title: 'The key does not hold the ability that this operation needs.', fix: 'Use a key with the named ability; `npx work-manager keys create --ability <ability>` makes one.' },
    agents_cannot_decide: { status: 403, retry: 'never', title: 'An agent cannot approve, reject or decide.', fix: 'A person must decide, with a key bound to a person.' },
    not_an_invitation: {
      status: 403,
      retry: 'never',
      title: 'This key is no invitation, so there is nothing to claim with it.',
      fix: 'Send the invitation itself as the key: Authorization: Bearer wm_i_….',
      tools: { fix: 'A person claims it at the terminal; it opens nothing here.' },
    },
    host_refused: { status: 403, retry: 'never', title: 'The request names a host that this server does not answer for.', fix: 'Use the address that the server prints, or set server.public_url to the one you use.' },
    origin_refused: { status: 403, retry: 'never', title: 'Web pages of other sites may not use this endpoint.', fix: 'Call it from a program, or from a page on the host of server.public_url.' },
  }),
}

/** What a key is given when nobody says what: the work of its kind, and for agents never a decision. */
export const usualAbilities = {
  agent: ['work:propose', 'work:view', 'work:checkout', 'work:heartbeat', 'work:submit'],
  person: ['work:*'],
  service: ['work:propose', 'work:view'],
} as const

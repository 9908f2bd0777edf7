/** The predecessor's spellings, still understood. */
const oldSpellings: Readonly<Record<string, string>> = {
  'orders:list': 'orders list',
  'orders:requeue': 'orders requeue',
  'orders:review': 'orders review',
  'items:list': 'items list',
  'items:retry': 'items retry',
  'dead-letter:clone': 'orders clone',
  'lease:release': 'lease release',
  'lease:reclaim': 'lease reclaim',
  'lease:extend': 'lease extend',
  'ops:check': 'ops check',
  'ops:tail': 'ops tail',
  'ops:prune': 'ops prune',
  'ops:purge-keys': 'ops purge-keys',
  'dev:reset': 'dev reset',
  'dev:seed': 'dev seed',
  'make:order-type': 'make order-type',
  'make:allocator': 'make generator',
  'make:generator': 'make generator',
  'make:workspace': 'make workspace',
  generate: 'generate',
  maintain: 'maintain',
  mcp: 'mcp',
}
export const knownOldSpellings = Object.entries(oldSpellings)

/** The words of a command line, with an old spelling (`orders:list`, `work-manager:maintain`) in its new form. */
export function withNewSpelling(words: readonly string[]): string[] {
  return words.flatMap((word, n) => {
    // Only where a command can stand: nothing but options before it.
    if (words.slice(0, n).some((before) => !before.startsWith('-'))) return [word]
    const name = word.replace(/^work-manager:/, '')
    return (name !== word || name.includes(':')) && Object.hasOwn(oldSpellings, name) ? oldSpellings[name]!.split(' ') : [word]
  })
}

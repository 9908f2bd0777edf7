/** The tenant of people who run one server for themselves, and of the demo. */
export const localTenant = { slug: 'default', name: 'Default' } as const

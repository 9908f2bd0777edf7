/** The tenant of people who run one server for themselves, and of the demo. Nobody has to be kept from anybody there: its tier is the highest. */
export const localTenant = { slug: 'default', name: 'Default', tier: 'enterprise' } as const

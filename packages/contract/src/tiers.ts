/** What a tenant is entitled to: how many requests each of its principals may send. The numbers are settings (`rate_limits`). */
export const tiers = ['enterprise', 'professional', 'default', 'free'] as const

export type Tier = (typeof tiers)[number]

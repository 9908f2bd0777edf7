/** The settings of rate limits. */
import Type from 'typebox'

const perMinute = (value: number | undefined, description: string) =>
  Type.Integer({ ...(value === undefined ? {} : { default: value }), minimum: 1, maximum: 1_000_000, description })

export const rateLimitsSection = Type.Object(
  {
    enabled: Type.Boolean({ default: true, description: 'Limit how many requests come per minute.' }),
    enterprise_per_minute: perMinute(10_000, 'Requests of one principal of an enterprise tenant.'),
    professional_per_minute: perMinute(1_000, 'Requests of one principal of a professional tenant.'),
    default_per_minute: perMinute(500, 'Requests of one principal of a tenant that was given no other tier.'),
    free_per_minute: perMinute(100, 'Requests of one principal of a free tenant.'),
    anonymous_per_minute: perMinute(60, 'Requests without a valid key from one address (IPv6: one /64 network). Counted per process.'),
    tenant_per_minute: Type.Optional(perMinute(undefined, 'All requests of a tenant together. Absent: no such limit.')),
    type_per_minute: Type.Optional(
      perMinute(
        undefined,
        'Proposals and checkouts of one order type in a tenant, where the type sets no limit itself. Absent: no such limit.',
      ),
    ),
    burst_seconds: Type.Integer({
      default: 60,
      minimum: 1,
      maximum: 3600,
      description: 'For how long unused requests are saved up: 60 lets a whole minute’s number come at once, 6 a tenth of it.',
    }),
  },
  { description: 'How many requests are taken. The tier of a tenant is set with `work-manager tenants tier`.' },
)

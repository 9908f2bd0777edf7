/** The order types of this server: shipped, given by the program that embeds it, and found in the configured directories. */
import type { Config } from '../config/index.ts'
import type { Generator } from '../work/generators/define-generator.ts'
import type { OrderType } from '../work/order-types/define-order-type.ts'
import { loadOrderTypes } from '../work/order-types/load-order-types.ts'
import { createRegistry, type OrderTypeRegistry } from '../work/order-types/registry.ts'
import { shippedOrderTypes } from '../work/order-types/shipped/index.ts'

/** Refuses with: DefinitionError. */
export async function loadTypes(
  config: Config,
  options: { readonly types?: readonly OrderType[]; readonly generators?: readonly Generator[] },
): Promise<OrderTypeRegistry> {
  const loaded = await Promise.all(config.order_types.directories.map((directory) => loadOrderTypes(directory)))
  return createRegistry({
    types: [...(config.order_types.shipped ? shippedOrderTypes : []), ...(options.types ?? []), ...loaded.flatMap((one) => one.types)],
    generators: [...(options.generators ?? []), ...loaded.flatMap((one) => one.generators)],
    defaults: {
      leaseTtlSeconds: config.lease.ttl_seconds,
      maxAttempts: config.retry.default_max_attempts,
      requireLeaseToken: config.lease.require_token,
    },
  })
}

/** The OpenTelemetry SDK, which only those install who export traces. */

import type * as contextModule from '@opentelemetry/context-async-hooks'
import type * as exporterModule from '@opentelemetry/exporter-trace-otlp-http'
import type * as resourcesModule from '@opentelemetry/resources'
import type * as traceModule from '@opentelemetry/sdk-trace'

export class TracingStartError extends Error {
  override readonly name = 'TracingStartError'
}

const packages = [
  '@opentelemetry/sdk-trace',
  '@opentelemetry/exporter-trace-otlp-http',
  '@opentelemetry/context-async-hooks',
  '@opentelemetry/resources',
] as const

/** Named, because declarations cannot spell out the classes inside the packages. */
export type Sdk = typeof traceModule & typeof exporterModule & typeof contextModule & typeof resourcesModule

const load = async (): Promise<Sdk> => ({
  ...(await import('@opentelemetry/sdk-trace')),
  ...(await import('@opentelemetry/exporter-trace-otlp-http')),
  ...(await import('@opentelemetry/context-async-hooks')),
  ...(await import('@opentelemetry/resources')),
})

/** Refuses with: TracingStartError, which says what to install. */
export async function loadSdk(): Promise<Sdk> {
  try {
    return await load()
  } catch (cause) {
    if ((cause as { code?: unknown }).code !== 'ERR_MODULE_NOT_FOUND') throw cause
    const missing = packages.find((name) => (cause as Error).message.includes(`'${name}'`)) ?? 'a package of OpenTelemetry'
    throw new TracingStartError(
      `tracing.exporter is otlp, but ${missing} is not installed. Install what exports traces, or set tracing.exporter to none:\n` +
        `  npm install ${packages.join(' ')}`,
      { cause },
    )
  }
}

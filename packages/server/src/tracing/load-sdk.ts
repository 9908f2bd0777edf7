/** The OpenTelemetry SDK, which only those install who export traces. */

export class TracingStartError extends Error {
  override readonly name = 'TracingStartError'
}

const packages = [
  '@opentelemetry/sdk-trace',
  '@opentelemetry/exporter-trace-otlp-http',
  '@opentelemetry/context-async-hooks',
  '@opentelemetry/resources',
] as const

const load = async () => ({
  ...(await import('@opentelemetry/sdk-trace')),
  ...(await import('@opentelemetry/exporter-trace-otlp-http')),
  ...(await import('@opentelemetry/context-async-hooks')),
  ...(await import('@opentelemetry/resources')),
})

export type Sdk = Awaited<ReturnType<typeof load>>

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

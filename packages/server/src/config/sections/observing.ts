/** Traces and metrics. */
import Type from 'typebox'

export const tracingSection = Type.Object(
  {
    exporter: Type.Enum(['none', 'otlp'], {
      default: 'none',
      description:
        'Where spans go: nowhere (the traces of callers are still passed on), or to an OpenTelemetry collector by OTLP over HTTP.',
    }),
    endpoint: Type.String({
      default: 'http://localhost:4318',
      env: ['OTEL_EXPORTER_OTLP_ENDPOINT'],
      accepts: 'http(s)://host:port, to which /v1/traces is added, or the whole address ending in /v1/traces',
      description: 'The collector. Headers for it come from OTEL_EXPORTER_OTLP_HEADERS.',
    }),
    sample_ratio: Type.Number({
      default: 1,
      minimum: 0,
      maximum: 1,
      description:
        'Share of the traces that begin here which are recorded. Traces that callers began are recorded when the caller records them.',
    }),
    service_name: Type.String({
      default: 'work-manager',
      minLength: 1,
      maxLength: 255,
      env: ['OTEL_SERVICE_NAME'],
      description: 'How this server is called in traces.',
    }),
  },
  { description: 'Traces, see tracing.md.' },
)

export const metricsSection = Type.Object(
  {
    driver: Type.Enum(['prometheus', 'log', 'otel', 'statsd', 'null'], {
      default: 'prometheus',
      description:
        'Where metrics go: scraped at /metrics, into the log, to an OpenTelemetry collector, to a StatsD agent, or nowhere (null). See metrics.md.',
    }),
    token: Type.Optional(
      Type.String({
        minLength: 16,
        secret: true,
        accepts: 'at least 16 characters; make one with: openssl rand -hex 32',
        description:
          'Bearer token with which /metrics may be read from elsewhere. Without one, /metrics on the main port answers this machine only.',
      }),
    ),
    port: Type.Optional(
      Type.Integer({
        minimum: 0,
        maximum: 65535,
        description:
          'A port of its own for /metrics, without the operations. 0 takes any free one. Absent: /metrics is on the main port only.',
      }),
    ),
    host: Type.String({
      default: '127.0.0.1',
      minLength: 1,
      description: 'Address on which metrics.port listens. Beyond loopback, set metrics.token too, or keep the port inside your network.',
    }),
    interval_seconds: Type.Integer({
      default: 15,
      minimum: 1,
      maximum: 3600,
      description: 'How often the drivers log, otel and statsd send.',
    }),
    statsd_host: Type.String({ default: '127.0.0.1', minLength: 1, description: 'The StatsD or DogStatsD agent.' }),
    statsd_port: Type.Integer({ default: 8125, minimum: 1, maximum: 65535, description: 'Its UDP port.' }),
    otlp_endpoint: Type.Optional(
      Type.String({
        env: ['OTEL_EXPORTER_OTLP_METRICS_ENDPOINT'],
        accepts: 'http(s)://host:port, to which /v1/metrics is added, or the whole address ending in /v1/metrics',
        description: 'The collector of the driver otel. Absent: tracing.endpoint. Headers for it come from OTEL_EXPORTER_OTLP_HEADERS.',
      }),
    ),
  },
  { description: 'Numbers about what the server does, see metrics.md.' },
)

/** Settings: `schema.ts` is the single source, `loadConfig` reads them once at start. */
export { ConfigError } from './config-error.ts'
export { loadConfig, readConfig, type LoadOptions, type ReadConfig } from './load-config.ts'
export { renderConfigDocs } from './render-docs.ts'
export { defineConfig, type Config, type ConfigInput } from './schema.ts'
export { sections } from './settings.ts'

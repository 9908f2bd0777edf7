/** The schema as a flat list: one entry per setting, with the environment names that it answers to. */
import type { TSchema } from 'typebox'
import { ConfigSchema } from './schema.ts'

/** The words that settings use, beside their type. */
export interface SettingSchema {
  readonly type?: string
  readonly enum?: readonly unknown[]
  readonly items?: SettingSchema
  readonly anyOf?: readonly Partial<SettingSchema>[]
  readonly const?: unknown
  readonly minimum?: number
  readonly maximum?: number
  readonly default?: unknown
  readonly description: string
  readonly env?: readonly string[]
  readonly accepts?: string
  readonly secret?: boolean
}

export interface Setting {
  readonly section: string
  readonly key: string
  /** `section.key`, as messages name it. */
  readonly path: string
  /** The canonical variable first, then the other spellings. */
  readonly env: readonly string[]
  readonly schema: SettingSchema & TSchema
}

export interface Section {
  readonly name: string
  readonly description: string
  readonly settings: readonly Setting[]
}

type SectionSchema = { readonly description: string; readonly properties: Readonly<Record<string, SettingSchema & TSchema>> }

export const sections: readonly Section[] = Object.entries(ConfigSchema.properties as unknown as Record<string, SectionSchema>).map(
  ([name, schema]) => ({
    name,
    description: schema.description,
    settings: Object.entries(schema.properties).map(([key, setting]) => ({
      section: name,
      key,
      path: `${name}.${key}`,
      env: [`WORK_MANAGER_${name}_${key}`.toUpperCase(), ...(setting.env ?? [])],
      schema: setting,
    })),
  }),
)

export const settings: readonly Setting[] = sections.flatMap((section) => section.settings)

/** Variables that the predecessor's manual names and this version has no use for: they are pointed out, not refused. */
export const unusedVariables: Readonly<Record<string, string>> = {
  WORK_MANAGER_QUEUE_CONNECTION: 'background work is kept in PostgreSQL and needs no queue; background.enabled says which processes do it',
  WORK_MANAGER_GUARD: 'every route asks for an API key',
  WORK_MANAGER_DEBUG: 'set WORK_MANAGER_LOG_LEVEL=debug instead',
}

/** What a setting takes, in words. */
export function accepts(schema: SettingSchema): string {
  if (schema.accepts !== undefined) return schema.accepts
  if (schema.enum !== undefined) return `one of ${schema.enum.join(', ')}`
  if (schema.type === 'integer') return `a whole number from ${schema.minimum} to ${schema.maximum}`
  if (schema.type === 'number') return `a number from ${schema.minimum} to ${schema.maximum}`
  if (schema.type === 'boolean') return 'true or false'
  if (schema.type === 'array') return 'a list'
  return 'a text that is not empty'
}

/** What a schema may be written in. */
import type { StandardSchemaV1 } from '@standard-schema/spec'
import type { TSchema } from 'typebox'

/** A plain JSON Schema 2020-12 object, a TypeBox schema, or any Standard Schema (Zod, Valibot, ArkType …). */
export type AnySchema = TSchema | StandardSchemaV1 | { readonly [keyword: string]: unknown }

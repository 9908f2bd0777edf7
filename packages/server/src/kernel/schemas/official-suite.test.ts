/**
 * The official test suite of JSON Schema 2020-12. A schema is judged exactly as it says, or refused at definition by the keyword that
 * stands in the way; the refused ones are listed here.
 */
import { readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { createJudge } from './json-schema-judge.ts'
import type { JsonSchema } from './keywords.ts'
import { boundedSchema } from './schema-limits.ts'
import { compileSchema, SchemaRefusedError } from './schema-validator.ts'

interface Group {
  readonly description: string
  readonly schema: JsonSchema | boolean
  readonly tests: readonly (readonly [description: string, data: unknown, valid: boolean])[]
}
const { files } = JSON.parse(readFileSync(new URL('./fixtures/json-schema-2020-12.json', import.meta.url), 'utf8')) as {
  files: Record<string, Group[]>
}

/** Here `format` is judged, as the files under optional/format ask: this one asks that it is not. */
const asksOtherwise = new Set(['format'])

/** Why a group is refused, by keyword. */
const refused: Record<string, string[]> = {}
const keywordOf = (error: SchemaRefusedError): string => error.keyword
let judged = 0

describe.each(Object.entries(files).filter(([name, groups]) => groups.length > 0 && !asksOtherwise.has(name)))('%s', (name, groups) => {
  test.each(groups.map((group) => [group.description, group] as const))('%s', (description, { schema, tests }) => {
    let judge
    try {
      judge = createJudge(typeof schema === 'boolean' ? (schema as never) : boundedSchema(schema, false))
    } catch (error) {
      if (!(error instanceof SchemaRefusedError)) throw error
      ;(refused[keywordOf(error)] ??= []).push(`${name}: ${description}`)
      return
    }
    for (const [what, data, valid] of tests) {
      judged++
      expect([what, judge.judge(data, 1_000_000).length === 0]).toEqual([what, valid])
    }
  })
})

test('what is refused is known, and nearly everything is judged', () => {
  expect(refused).toMatchInlineSnapshot(`
    {
      "$ref": [
        "anchor: invalid anchors",
        "defs: validate definition against metaschema",
        "dynamicRef: strict-tree schema, guards against misspelled properties",
        "dynamicRef: tests for implementation dynamic anchor and reference link",
        "dynamicRef: $ref and $dynamicAnchor are independent of order - $defs first",
        "dynamicRef: $ref and $dynamicAnchor are independent of order - $ref first",
        "id: Invalid use of fragments in location-independent $id",
        "id: Valid use of empty fragments in location-independent $id",
        "id: Unnormalized $ids are allowed but discouraged",
        "optional/cross-draft: refs to historic drafts are processed as historic drafts",
        "optional/ecmascript-regex: \\a is not an ECMA 262 control escape",
        "ref: remote ref, containing refs itself",
        "ref: URN base URI with f-component",
        "refRemote: remote ref",
        "refRemote: fragment within remote ref",
        "refRemote: anchor within remote ref",
        "refRemote: ref within remote ref",
        "refRemote: base URI change",
        "refRemote: base URI change - change folder",
        "refRemote: base URI change - change folder in subschema",
        "refRemote: root ref in remote ref",
        "refRemote: remote ref with ref to defs",
        "refRemote: Location-independent identifier in remote ref",
        "refRemote: retrieved nested refs resolve relative to their URI not $id",
        "refRemote: remote HTTP ref with different $id",
        "refRemote: remote HTTP ref with different URN $id",
        "refRemote: remote HTTP ref with nested absolute ref",
      ],
      "$schema": [
        "optional/format-assertion: schema that uses custom metaschema with format-assertion: false",
        "optional/format-assertion: schema that uses custom metaschema with format-assertion: true",
        "vocabulary: schema that uses custom metaschema with with no validation vocabulary",
        "vocabulary: ignore unrecognized optional vocabulary",
      ],
      "dependencies": [
        "optional/dependencies-compatibility: single dependency",
        "optional/dependencies-compatibility: empty dependents",
        "optional/dependencies-compatibility: multiple dependents required",
        "optional/dependencies-compatibility: dependencies with escaped characters",
        "optional/dependencies-compatibility: single schema dependency",
        "optional/dependencies-compatibility: boolean subschemas",
        "optional/dependencies-compatibility: schema dependencies with escaped characters",
      ],
      "format": [
        "optional/format/unknown: unknown format",
      ],
      "object_of_schemas": [
        "unknownKeyword: $id inside an unknown keyword is not a real identifier",
      ],
      "unknown-keyword": [
        "optional/refOfUnknownKeyword: reference of a root arbitrary keyword ",
        "optional/refOfUnknownKeyword: reference of an arbitrary keyword of a sub-schema",
      ],
    }
  `)
  expect(judged).toBeGreaterThan(1_000)
})

test('by the door of authors too: judged exactly or refused', async () => {
  let judgedHere = 0
  for (const [name, groups] of Object.entries(files)) {
    if (asksOtherwise.has(name)) continue
    for (const { schema, tests } of groups) {
      let validator
      try {
        validator = compileSchema(schema)
      } catch (error) {
        expect(error).toBeInstanceOf(SchemaRefusedError)
        continue
      }
      for (const [what, data, valid] of tests) {
        judgedHere++
        expect([name, what, (await validator.validate(data)).length === 0]).toEqual([name, what, valid])
      }
    }
  }
  expect(judgedHere).toBeGreaterThan(100)
})

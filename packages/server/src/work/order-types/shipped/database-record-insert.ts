/**
 * `database.record.insert`: an agent prepares records, the server inserts them after approval. The agent never writes by itself: it
 * completes and normalises the requested values, and says that it checked them.
 */
import Type from 'typebox'
import { defineOrderType } from '../define-order-type.ts'

const text = (maxLength: number) => Type.String({ minLength: 1, maxLength })
/** What may be inserted where; `key` is the column that no two records share. */
const tables = {
  products: {
    key: 'sku',
    required: ['sku', 'name', 'price'],
    columns: ['sku', 'name', 'price', 'currency', 'description', 'category', 'stock'],
  },
  categories: { key: 'slug', required: ['slug', 'name'], columns: ['slug', 'name', 'description', 'parent'] },
  tags: { key: 'slug', required: ['slug', 'name'], columns: ['slug', 'name'] },
} as const

const Table = Type.Enum(['products', 'categories', 'tags'])
const Value = Type.Union([Type.String({ maxLength: 10_000 }), Type.Number(), Type.Boolean(), Type.Null()])
const Data = Type.Record(text(64), Value)

type Row = Readonly<Record<string, unknown>>
const isEmpty = (value: unknown): boolean => value === undefined || value === null || value === ''

export const databaseRecordInsert = defineOrderType({
  type: 'database.record.insert',
  title: 'Insert records',
  description:
    'Prepares records for products, categories or tags. The agent proposes checked values; they are inserted when the order is approved.',
  payload: Type.Object(
    {
      table: Table,
      records: Type.Array(
        Type.Object({
          data: Data,
          validate: Type.Optional(Type.Boolean({ description: 'False: the agent need not check this record. Default true.' })),
        }),
        { minItems: 1, maxItems: 500 },
      ),
    },
    { additionalProperties: false },
  ),
  result: Type.Object({
    records: Type.Array(Type.Object({ data: Data }), {
      minItems: 1,
      maxItems: 500,
      description: 'In the order of the request, one for each.',
    }),
    verification: Type.Object({
      checked: Type.Boolean(),
      valid: Type.Boolean({ description: 'Meaningful only when checked.' }),
      notes: Type.Optional(Type.String({ maxLength: 2000 })),
    }),
  }),

  verify: [
    {
      name: 'one_record_for_each_request',
      check: ({ input, result }) =>
        result.records.length === input.records.length
          ? []
          : [
              {
                field: 'records',
                code: 'record_count',
                message: `The item asks for ${input.records.length} records; the result has ${result.records.length}.`,
              },
            ],
    },
    {
      name: 'checked_and_valid',
      check({ input, result }) {
        if (input.records.every((record) => record.validate === false)) return []
        if (!result.verification.checked)
          return [
            {
              field: 'verification.checked',
              code: 'not_checked',
              message: 'Check the records before handing them in, then set checked to true.',
            },
          ]
        return result.verification.valid
          ? []
          : [
              {
                field: 'verification.valid',
                code: 'not_valid',
                message: 'Only valid records can be inserted: correct them, or report the item with fail.',
              },
            ]
      },
    },
    {
      name: 'known_columns',
      check({ input, result }) {
        const table = tables[input.table]
        return result.records.flatMap(({ data }, i) => [
          ...Object.keys(data)
            .filter((c) => !(table.columns as readonly string[]).includes(c))
            .map((c) => ({
              field: `records.${i}.data.${c}`,
              code: 'column_not_allowed',
              message: `${input.table} has no column '${c}' that may be inserted; allowed: ${table.columns.join(', ')}.`,
            })),
          ...table.required
            .filter((c) => isEmpty((data as Row)[c]))
            .map((c) => ({
              field: `records.${i}.data.${c}`,
              code: 'column_required',
              message: `Column '${c}' of ${input.table} needs a value.`,
            })),
        ])
      },
    },
    {
      name: 'nothing_requested_is_lost',
      check: ({ input, result }) =>
        input.records.flatMap((asked, i) =>
          Object.keys(asked.data)
            .filter((c) => result.records[i] !== undefined && !Object.hasOwn(result.records[i].data, c))
            .map((c) => ({
              field: `records.${i}.data.${c}`,
              code: 'column_lost',
              message: `The request gives '${c}' for this record, the result does not; keep it.`,
            })),
        ),
    },
    {
      name: 'distinct_keys',
      check({ input, result }) {
        const { key } = tables[input.table]
        const keys = result.records.map((r) => String((r.data as Row)[key]))
        return keys.flatMap((k, i) =>
          keys.indexOf(k) < i
            ? [
                {
                  field: `records.${i}.data.${key}`,
                  code: 'key_twice',
                  message: `${key} '${k}' is already used by record ${keys.indexOf(k)}.`,
                },
              ]
            : [],
        )
      },
    },
  ],

  canApprove: (_, items) =>
    items.flatMap((item) =>
      item.result.verification.valid || item.input.records.every((record) => record.validate === false)
        ? []
        : [{ field: `items.${item.ordinal}`, code: 'not_valid', message: 'The agent did not find the records valid.' }],
    ),

  async apply(ctx) {
    const { table } = ctx.order.payload
    const { key } = tables[table]
    const inserted: string[] = []
    for (const item of ctx.items) {
      for (const { data } of item.result.records) {
        const id = String((data as Row)[key])
        if ((await ctx.records.get(table, id)) !== undefined)
          throw new Error(`${table} already has a record with ${key} '${id}'; reject the order with rework, or remove the record`)
        await ctx.records.put(table, id, data)
        inserted.push(id)
      }
    }
    return ctx.diff(
      { record_count: 0, record_ids: [] },
      { record_count: inserted.length, record_ids: inserted },
      `Inserted ${inserted.length} records into ${table}`,
    )
  },
})

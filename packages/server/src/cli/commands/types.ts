/** `types list|show`: the kinds of work that the server knows. */
import type { Command } from 'commander'
import { nearestName } from '@work-manager/contract/names'
import type { Context } from '../context.ts'
import { CliError } from '../cli-error.ts'
import { inertJson, inertLine } from '../../log/inert-text.ts'
import type { Column } from '../table.ts'

export interface OrderTypeAnswer {
  readonly type: string
  readonly version: number
  readonly title: string
  readonly description: string
  readonly schemas: { readonly payload: Readonly<Record<string, unknown>>; readonly [part: string]: unknown }
  readonly [member: string]: unknown
}

const columns: Column<OrderTypeAnswer>[] = [
  { title: 'TYPE', value: (type) => type.type },
  { title: 'VERSION', value: (type) => type.version },
  { title: 'TITLE', value: (type) => type.title, elastic: true },
]

export function addTypes(program: Command, context: Context): void {
  const types = program
    .command('types')
    .summary('list order types, or show one')
    .description('Order types: the kinds of work that the server knows.')
  types
    .command('list', { isDefault: true })
    .summary('list order types')
    .description('List the order types that the server knows.')
    .action(async () => {
      const client = await context.client()
      const all = (await client.call('list_order_types', {})).body.types as readonly OrderTypeAnswer[]
      context.out.answer(all, () => context.out.table(columns, all, 'No order types.'))
    })
  types
    .command('show')
    .argument('<type>', 'name of the type')
    .summary('show what a type asks for')
    .description('Show the JSON Schemas of payload, item input, result and parts of an order type.')
    .action(async (name: string) => {
      const type = await getOrderType(context, name)
      context.out.answer(type, () => {
        const { schemas, ...rest } = type
        for (const [member, value] of Object.entries(rest))
          if (value !== null && value !== '')
            context.out.line(
              `${context.out.paint.dim(member.padEnd(20))} ${inertLine(typeof value === 'string' ? value : inertJson(value))}`,
            )
        for (const [part, schema] of Object.entries(schemas))
          if (schema !== null) context.out.line(`\n${context.out.paint.dim(part)}\n${inertJson(schema, 2)}`)
      })
    })
}

/** One order type of the server. Refuses with: order_type_not_found (exit 5). */
export async function getOrderType(context: Context, name: string): Promise<OrderTypeAnswer> {
  const client = await context.client()
  const types = (await client.call('list_order_types', {})).body.types as readonly OrderTypeAnswer[]
  const found = types.find((type) => type.type === name)
  if (found !== undefined) return found
  const near = nearestName(
    name,
    types.map((type) => type.type),
  )
  throw new CliError(
    'refused',
    'order_type_not_found',
    `The server knows no order type '${name}'${near === undefined ? '' : `; did you mean ${near}?`}`,
    'work-manager types lists them.',
  )
}

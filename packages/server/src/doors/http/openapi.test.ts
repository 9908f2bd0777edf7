import { errorCatalogue, ItemShape, OrderShape } from '@work-manager/contract'
import Type from 'typebox'
import { expect, test } from 'vitest'
import { defineOperation, type Operation } from '../../kernel/operations/operation.ts'
import { buildOpenApi } from './openapi.ts'

const handler = async () => ({ status: 200, body: {} })
const operations = [
  defineOperation({
    name: 'list_orders',
    summary: 'List orders.',
    http: { method: 'GET', path: '/orders', success: 200 },
    ability: 'work:view',
    idempotency: 'none',
    refuses: [],
    command: { words: 'try list_orders' },
    tool: 'only this test knows it',
    input: Type.Object({
      filter: Type.Optional(Type.Object({ state: Type.Optional(Type.String()) })),
      limit: Type.Optional(Type.Integer()),
    }),
    output: Type.Object({ data: Type.Array(OrderShape) }),
    handler,
  }),
  defineOperation({
    name: 'approve_order',
    summary: 'Approve an order.',
    http: { method: 'POST', path: '/orders/:order/approve', aliases: ['/orders/:order/accept'], success: 200 },
    ability: 'work:approve',
    peopleOnly: true,
    idempotency: 'required',
    refuses: [],
    command: { words: 'try approve_order' },
    tool: 'only this test knows it',
    input: Type.Object({ order: Type.String({ format: 'uuid' }), digest: Type.String(), note: Type.Optional(Type.String()) }),
    output: OrderShape,
    handler,
  }),
] as unknown as Operation[]

// The document is open-ended JSON; the tests read it as such.
const build = (): any => buildOpenApi(operations, { version: '1.2.3', mounts: ['/api/work', '/agent/work'] })

test('the document is the same every time', () => {
  expect(JSON.stringify(build())).toBe(JSON.stringify(build()))
})

test('a GET operation has query parameters, objects among them as name[member]', () => {
  const { parameters, requestBody } = build().paths['/orders'].get
  expect(requestBody).toBeUndefined()
  expect(parameters).toContainEqual(
    expect.objectContaining({ name: 'filter', in: 'query', required: false, style: 'deepObject', explode: true }),
  )
  expect(parameters).toContainEqual(expect.objectContaining({ name: 'limit', in: 'query', schema: { type: 'integer' } }))
  expect(parameters.some(({ name }: { name?: string }) => name === 'Idempotency-Key')).toBe(false)
})

test('a POST operation has its path parameter, its key and a body without the path', () => {
  const operation = build().paths['/orders/{order}/approve'].post
  expect(operation.operationId).toBe('approve_order')
  expect(operation.description).toMatch(/work:approve.*person.*\/orders\/\{order\}\/accept/)
  expect(operation.parameters).toContainEqual({ name: 'order', in: 'path', required: true, schema: { type: 'string', format: 'uuid' } })
  expect(operation.parameters).toContainEqual(expect.objectContaining({ name: 'Idempotency-Key', in: 'header', required: true }))
  expect(operation.requestBody).toEqual({
    required: true,
    content: {
      'application/json': {
        schema: { type: 'object', required: ['digest'], properties: { digest: { type: 'string' }, note: { type: 'string' } } },
      },
    },
  })
  expect(operation.responses['200'].content['application/json'].schema).toEqual({ $ref: '#/components/schemas/Order' })
  expect(operation.responses['200'].headers).toHaveProperty('Idempotent-Replayed')
})

test('shapes with a title are written once', () => {
  const { components } = build()
  expect(Object.keys(components.schemas)).toEqual(['Event', 'Item', 'Order', 'Problem'])
  expect(components.schemas.Order.properties.items.items).toEqual({ $ref: '#/components/schemas/Item' })
  expect(Object.keys(components.schemas.Item.properties)).toEqual(Object.keys(ItemShape.properties))
})

test('every operation asks for a bearer key and refuses with a problem', () => {
  const document = build()
  expect(document.security).toEqual([{ bearer: [] }])
  expect(document.components.securitySchemes.bearer).toMatchObject({ type: 'http', scheme: 'bearer' })
  expect(document.servers).toEqual([{ url: '/api/work' }, { url: '/agent/work' }])
  expect(document.paths['/orders'].get.responses.default).toEqual({ $ref: '#/components/responses/Problem' })
  expect(document.components.responses.Problem.content['application/problem+json'].schema).toEqual({ $ref: '#/components/schemas/Problem' })
  for (const code of Object.keys(errorCatalogue)) expect(document.components.responses.Problem.description).toContain(code)
})

test('every reference leads somewhere', () => {
  const document = build()
  const references = [...JSON.stringify(document).matchAll(/"\$ref":"#\/([^"]+)"/g)].map((match) => match[1]!)
  expect(references.length).toBeGreaterThan(10)
  for (const reference of references) {
    const target = reference
      .split('/')
      .reduce<Record<string, unknown> | undefined>((node, step) => node?.[step] as Record<string, unknown> | undefined, document)
    expect(target, reference).toBeDefined()
  }
})

test('the refusals of each operation stand there by status', () => {
  const document = build()
  const { responses } = document.paths['/orders/{order}/approve'].post
  expect(Object.keys(responses)).toEqual(expect.arrayContaining(['401', '403', '422', '429', 'default']))
  expect(responses['403'].description).toMatch(/`scope_missing`.*`agents_cannot_decide`/)
  expect(responses['403'].content['application/problem+json'].schema).toEqual({ $ref: '#/components/schemas/Problem' })
  const [refused] = operations[1]!.refuses
  if (refused !== undefined) expect(responses[errorCatalogue[refused].status].description).toContain(refused)
})

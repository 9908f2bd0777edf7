import { expect, test } from 'vitest'
import { WorkError } from '@work-manager/contract'
import { z } from 'zod'
import { compileSchema } from '../../kernel/schemas/schema-validator.ts'
import { judged } from './judged.ts'
import { TypeCrashed } from './type-crashed.ts'

const crashOf = (schema: z.ZodType, value: unknown): Promise<unknown> =>
  judged('test.type', 'result', compileSchema(schema), value).catch((error: unknown) => error)

test('a refinement that throws is a bug of the type, named with where it stands', async () => {
  const sync = z.string().refine(() => {
    throw new Error('oops')
  })
  const later = z.string().refine(() => Promise.reject(new Error('later')))
  for (const [schema, said] of [
    [sync, /'test.type': result threw: oops/],
    [later, /result threw: later/],
  ] as const) {
    const error = await crashOf(schema, 'x')
    expect(error).toBeInstanceOf(TypeCrashed)
    expect((error as Error).message).toMatch(said)
  }
})

test('a refusal of ours stays what it is', async () => {
  const busy = { jsonSchema: {}, validate: () => Promise.reject(new WorkError('busy')) }
  await expect(judged('test.type', 'result', busy, 1)).rejects.toMatchObject({ code: 'busy' })
  const atOnce = {
    jsonSchema: {},
    validate: () => {
      throw new WorkError('busy')
    },
  }
  await expect(judged('test.type', 'result', atOnce, 1)).rejects.toMatchObject({ code: 'busy' })
})

import { WorkError } from '@work-manager/contract'
import { expect, it, vi } from 'vitest'
import { measured } from './measured-operations.ts'
import type { Operation } from './operation.ts'
import { mayRefuseWith, refusalsOf } from './refusals.ts'
import type { OperationRequest } from './run-operation.ts'

it('an operation may refuse with its own codes and with those of any request', () => {
  const operation = { refuses: ['not_found'] } as const
  expect(mayRefuseWith(operation, 'not_found')).toBe(true)
  expect(mayRefuseWith(operation, 'auth_required')).toBe(true)
  expect(mayRefuseWith(operation, 'busy')).toBe(true)
  expect(mayRefuseWith(operation, 'content_changed')).toBe(false)
})

it('the references also say who may not call it', () => {
  expect(refusalsOf({ refuses: ['not_found'], peopleOnly: true })).toEqual(['not_found', 'agents_cannot_decide'])
  expect(refusalsOf({ refuses: ['not_found'] })).toEqual(['not_found'])
})

it('a refusal that the operation does not list is told, and still refused', async () => {
  const told = vi.fn()
  const refuse = async () => {
    throw new WorkError('content_changed')
  }
  const metrics = { increment: vi.fn(), observe: vi.fn() } as never
  const operation = { name: 'try_it', refuses: ['not_found'] } as unknown as Operation
  const request = { input: {}, traceparent: null } as unknown as OperationRequest
  await expect(measured(metrics, refuse, told)(operation, request)).rejects.toMatchObject({ code: 'content_changed' })
  expect(told).toHaveBeenCalledWith('try_it', 'content_changed')
  told.mockClear()
  await expect(measured(metrics, refuse, told)({ ...operation, refuses: ['content_changed'] }, request)).rejects.toMatchObject({
    code: 'content_changed',
  })
  expect(told).not.toHaveBeenCalled()
})

import { expectTypeOf, test } from 'vitest'
import type { Item, InputOf, Order, OutputOf, ProposeOrderInput } from './index.ts'

test('an operation takes the members of its path, its query and its body as one object', () => {
  expectTypeOf<keyof InputOf<'submit_item'>>().toEqualTypeOf<'item' | 'lease_token' | 'result' | 'evidence' | 'notes'>()
  expectTypeOf<InputOf<'plan_order'>>().toEqualTypeOf<{ readonly order: string }>()
  expectTypeOf<InputOf<'list_order_types'>>().toEqualTypeOf<{ readonly type?: string }>()
  expectTypeOf<OutputOf<'submit_item'>>().toEqualTypeOf<{ readonly item: Item; readonly state: string; readonly order_state: string }>()
  expectTypeOf<OutputOf<'cancel_order'>>().toEqualTypeOf<{ readonly order: Order }>()
})

test('a payload may be of an interface of the caller', () => {
  interface Mine {
    readonly folder: string
  }
  expectTypeOf<{ type: string; payload: Mine }>().toExtend<ProposeOrderInput>()
})

/** Tells the story through one door, in a tenant of its own, and keeps what was said and what is left. */
import { randomUUID } from 'node:crypto'
import { whileApplying } from '../story.ts'
import type { TestServer } from '../test-server.ts'
import type { Door, Told } from './doors.ts'
import { Blanks, type Remains, remainsOf } from './remains.ts'
import { type Role, roles, type Seen, steps } from './story-steps.ts'

export interface Telling {
  /** One line per call: what was answered, or with which code it was refused. */
  readonly said: readonly string[]
  readonly refusals: Readonly<Record<string, string>>
  readonly remains: Remains
}

export async function tellStory(server: TestServer, door: Door, tenant: string): Promise<Telling> {
  const keys = {} as Record<Role, string>
  for (const [role, { kind, id, abilities }] of Object.entries(roles))
    keys[role as Role] = (await server.caller(kind, id, { tenant, ...(abilities && { abilities }) })).key
  const seen = {} as Seen
  const blanks = new Blanks()
  const said: string[] = []
  const refusals: Record<string, string> = {}
  for (const step of steps) {
    await step.before?.(server, seen)
    const call = {
      operation: step.operation,
      input: step.input(seen),
      ...(step.repeatable && { idempotencyKey: randomUUID() }),
    }
    const ask = () => door.tell(keys[step.who], call)
    const told = await (step.applies ? whileApplying(server, ask()) : ask())
    if (told.refused === undefined) step.keep?.(told.answer, seen)
    else refusals[step.says] = told.refused
    if (seen.digest) blanks.name(seen.digest, '<digest of the order>')
    said.push(line(step.says, told, blanks))
    if (step.repeatable) said.push(line(`${step.says}, again`, await ask(), blanks))
  }
  return { said, refusals, remains: await remainsOf(server, tenant, blanks) }
}

const line = (says: string, told: Told, blanks: Blanks): string => `${says}: ${blanks.blank(JSON.stringify(told))}`

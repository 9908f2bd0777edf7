/** OpenTelemetry's active span across awaits. There is one such manager per process; several servers in one process share it. */
import { context, type ContextManager } from '@opentelemetry/api'

let users = 0
let isOurs = false

/** Makes sure that there is one: whoever embeds Work Manager may have brought its own, which then stays. Returns how to leave. */
export function enterContextManager(create: () => ContextManager): () => void {
  if (users++ === 0 && !hasManager()) isOurs = context.setGlobalContextManager(create().enable())
  let left = false
  return () => {
    if (left) return
    left = true
    if (--users > 0 || !isOurs) return
    context.disable()
    isOurs = false
  }
}

function hasManager(): boolean {
  const probe = Symbol('probe')
  return context.with(context.active().setValue(probe, true), () => context.active().getValue(probe) === true)
}

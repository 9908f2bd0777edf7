/** The database side of the state tables: the guard triggers, the questions by tag and the event priorities, from the contract. */
import { eventSpecs, type Machine, machines, statesTagged } from '@work-manager/contract'

export function renderGuards(): string {
  const lines = [
    '-- Generated from the machines and events of packages/contract/src by `npm run generate`. Do not edit.',
    '-- Not even a psql session can make an illegal move: the tables that TypeScript decides by are enforced here once more.',
    '',
    'create or replace function wm.event_priority(kind text) returns smallint',
    '  language sql immutable parallel safe',
    '  as $$',
    '  select (case',
  ]
  for (const priority of [0, 1, 3] as const) {
    const kinds = Object.entries(eventSpecs).flatMap(([kind, spec]) => (spec.priority === priority ? [kind] : []))
    lines.push(`    when kind in (${kinds.map((kind) => `'${kind}'`).join(', ')}) then ${priority}`)
  }
  lines.push('    else 2 end)::smallint', '$$;')
  for (const machine of Object.values<Machine>(machines)) {
    const { noun, table } = machine
    const moves = Object.entries(machine.states).flatMap(([from, spec]) => Object.keys(spec.to).map((to) => `'${from}>${to}'`))
    lines.push(
      '',
      `create or replace function wm.guard_${noun}_state() returns trigger`,
      '  language plpgsql',
      '  as $$',
      'begin',
      "  if tg_op = 'INSERT' then",
      `    raise exception 'a new ${noun} starts as ${machine.initial}, not %', new.state using errcode = 'check_violation', constraint = '${noun}_state_machine';`,
      '  end if;',
      `  raise exception 'Illegal state transition for ${noun}: cannot transition from ''%'' to ''%''', old.state, new.state`,
      `    using errcode = 'check_violation', constraint = '${noun}_state_machine';`,
      'end $$;',
      `create or replace trigger ${table}_state_insert before insert on wm.${table}`,
      `  for each row when (new.state <> '${machine.initial}') execute function wm.guard_${noun}_state();`,
      `create or replace trigger ${table}_state_update before update on wm.${table}`,
      // The condition is judged without a call: on the hot path, where every move is legal, the function never runs.
      `  for each row when (old.state is distinct from new.state and old.state || '>' || new.state <> all (array[`,
      `    ${moves.join(', ')}`,
      `  ])) execute function wm.guard_${noun}_state();`,
    )
    const tags = new Set(Object.values(machine.states).flatMap(({ tags = [] }) => tags))
    for (const tag of tags)
      lines.push(
        '',
        `create or replace function wm.${noun}_is_${tag}(state text) returns boolean`,
        '  language sql immutable parallel safe',
        `  as $$ select state in (${statesTagged(machine, tag as never)
          .map((state) => `'${String(state)}'`)
          .join(', ')}) $$;`,
      )
  }
  return `${lines.join('\n')}\n`
}

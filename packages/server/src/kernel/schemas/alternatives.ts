/**
 * A failed anyOf/oneOf is said once, or it would read as a contradiction ("must be string", "must be null"): as one list of types or
 * values, or as the problems of the one alternative that was meant.
 */
import { hasMember, isRecord, type Kinds, type Node, type Problem, type Run } from './judge.ts'

/** The kind of an alternative: its type, or a constant at the value or one level below (`kind: 'circle'`). */
function mismatchOfKind(problems: readonly Problem[], depth: number): Problem | undefined {
  return (
    problems.find((one) => one.keyword === 'const' && one.path.length <= depth + 1) ??
    problems.find((one) => one.keyword === 'type' && one.path.length === depth)
  )
}

/** More alternatives than this are not tried again to say what is wrong with each. */
const mostExplained = 50

/** Says what is wrong with a value that fits none of `nodes`. Always false. */
export function explainAlternatives(
  keyword: 'anyOf' | 'oneOf',
  nodes: readonly Node[],
  kinds: Kinds | null,
  discriminator: string | null,
  value: unknown,
  run: Run,
): false {
  const tag = discriminator ?? kinds?.tag
  if (tag !== undefined && isRecord(value)) {
    const given = hasMember(value, tag) ? value[tag] : undefined
    const meant = kinds?.tag === tag ? kinds.byTag.get(given) : undefined
    if (meant?.length === 1) return say(run, run.problemsOf(meant[0]!, value))
    if (!meant && discriminator !== null) return run.fail('discriminator', { tag, given, isText: typeof given === 'string' })
    if (!meant && kinds) {
      if (given === undefined) return run.fail('required', { missingProperty: tag })
      run.path.push(tag)
      run.fail('enum', { allowedValues: [...kinds.byTag.keys()] })
      run.path.pop()
      return false
    }
  }
  if (nodes.length > mostExplained) return run.fail(keyword)
  const branches = nodes.map((node) => run.problemsOf(node, value))
  const mismatches = branches.map((problems) => mismatchOfKind(problems, run.path.length))
  const meant = branches.filter((_, i) => mismatches[i] === undefined)
  if (meant.length === 1) return say(run, meant[0]!)
  const [first] = mismatches
  const isSamePlace = (one: Problem | undefined): boolean =>
    one?.keyword === first?.keyword && one?.path.join('\n') === first?.path.join('\n')
  if (!first || !mismatches.every(isSamePlace)) return run.fail(keyword)
  const params =
    first.keyword === 'const'
      ? { allowedValues: mismatches.map((one) => one!.params['allowedValue']) }
      : { type: [...new Set(mismatches.flatMap((one) => one!.params['type'] as string[]))] }
  return say(run, [{ keyword: first.keyword === 'const' ? 'enum' : 'type', path: first.path, params }])
}

function say(run: Run, problems: readonly Problem[]): false {
  for (const problem of problems) if (!run.isFull) run.problems?.push(problem)
  return false
}

/** A schema that cannot be accepted: where, which keyword, and what to write instead. */
export class SchemaRefusedError extends Error {
  readonly pointer: string
  readonly keyword: string
  readonly advice: string
  constructor(problem: string, where: { pointer: string; keyword: string; advice: string }, options?: ErrorOptions) {
    super(
      `${problem} (at ${where.pointer === '' ? 'the root' : where.pointer}${where.keyword ? `, keyword ${where.keyword}` : ''}). ${where.advice}`,
      options,
    )
    this.name = 'SchemaRefusedError'
    this.pointer = where.pointer
    this.keyword = where.keyword
    this.advice = where.advice
  }
}

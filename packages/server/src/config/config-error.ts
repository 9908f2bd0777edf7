/** The one error of a configuration that cannot be used: it carries every problem, so that one round of corrections is enough. */
export class ConfigError extends Error {
  readonly problems: readonly string[]

  constructor(problems: readonly string[], options?: ErrorOptions) {
    super(
      problems.length === 1 ? problems[0] : `${problems.length} problems:\n${problems.map((problem) => `  - ${problem}`).join('\n')}`,
      options,
    )
    this.name = 'ConfigError'
    this.problems = problems
  }
}

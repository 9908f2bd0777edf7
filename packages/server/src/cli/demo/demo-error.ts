/** The demo cannot go on: one clear line, and what to do. */
export class DemoError extends Error {
  readonly code: string
  readonly fix: string
  constructor(code: string, message: string, fix: string, options?: ErrorOptions) {
    super(message, options)
    this.name = 'DemoError'
    this.code = code
    this.fix = fix
  }
}

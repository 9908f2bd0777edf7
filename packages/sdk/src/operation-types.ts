/** What an operation takes and gives, as one object each, out of the generated description of its path, query and body. */
import type { operations } from './generated/api.ts'

/** The name of an operation as the server knows it, such as `submit_item`. */
export type OperationName = keyof operations

type Described<Name extends OperationName> = operations[Name]
/** A part that an operation lacks is `never`, an empty body allows no member: both would swallow the other parts. */
type Members<Part> = [NonNullable<Part>] extends [never] ? unknown : string extends keyof NonNullable<Part> ? unknown : NonNullable<Part>
type BodyOf<Operation> = Operation extends { readonly requestBody?: infer Body }
  ? NonNullable<Body> extends { readonly content: { readonly 'application/json': infer Content } }
    ? Content
    : unknown
  : unknown
/** Written out as one object, so that an editor shows its members and not how they were found. */
type Flat<Type> = { [Member in keyof Type]: Type[Member] }
type OrNothing<Type> = keyof Type extends never ? Record<string, never> : Type

/** Everything that an operation takes: members of its path, of its query and of its body. */
export type InputOf<Name extends OperationName> = OrNothing<
  Flat<Members<Described<Name>['parameters']['path']> & Members<Described<Name>['parameters']['query']> & Members<BodyOf<Described<Name>>>>
>

/** What an operation answers when it is done. */
export type OutputOf<Name extends OperationName> = {
  [Status in keyof Described<Name>['responses']]: Described<Name>['responses'][Status] extends {
    content: { readonly 'application/json': infer Answer }
  }
    ? Answer
    : never
}[keyof Described<Name>['responses']]

/** Members that verbs of any noun share. */
import Type from 'typebox'

export const reason = Type.String({ minLength: 1, maxLength: 2000, description: 'Why; kept on the record.' })
export const limit = Type.Optional(Type.Integer({ minimum: 1, maximum: 100, description: 'Rows per page (default 50).' }))
export const cursor = Type.Optional(Type.String({ maxLength: 3000, description: 'next_cursor of the page before; good for a day.' }))

/** Members that verbs of the record share. */
import Type from 'typebox'

export const text = (description: string) => Type.Optional(Type.String({ maxLength: 255, description }))

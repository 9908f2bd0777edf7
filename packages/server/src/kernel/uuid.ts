/** A UUID in its canonical spelling: lower case, with dashes. */
export const uuidPattern = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/

/** Whether the text is a UUID, in capitals or not. */
export const isUuid = (text: string): boolean => uuidPattern.test(text.toLowerCase())

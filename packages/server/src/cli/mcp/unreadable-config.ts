/** The text is not what the client's own format allows, so nobody can change it safely. */
export class UnreadableConfig extends Error {}

/** The flags of the program's first line, which a machine with little memory keeps. */
export declare const smallest: readonly string[]
/** Flags of Node for a process that may use so many bytes. */
export declare function flagsFor(memory: number): string[]
/** Bytes that this process may use: the limit of its container, else what the machine has. */
export declare function usableMemory(): number

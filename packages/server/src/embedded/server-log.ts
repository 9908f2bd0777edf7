// PostgreSQL writes its messages straight into a file that we open for it (so it needs no permission there, and goes on writing if we
// die). We keep the file bounded and quote its last lines when a start fails.

import { copyFile, open, stat, truncate } from 'node:fs/promises'
import { type Home, giveToOwner } from './home.ts'

/** 16 MiB, kept twice. Larger fills small disks; smaller loses the night's story. */
const LARGEST_BYTES = 16 * 1024 * 1024

export class ServerLog {
  readonly path: string
  readonly #home: Home

  constructor(home: Home) {
    this.#home = home
    this.path = home.path('postgres.log')
  }

  /** Runs `use` with a descriptor for a child to append to, and the size so far. */
  async withAppend<T>(use: (descriptor: number, from: number) => Promise<T> | T): Promise<T> {
    const file = await open(this.path, 'a', 0o600)
    try {
      await giveToOwner(this.#home, this.path)
      return await use(file.fd, (await file.stat()).size)
    } finally {
      await file.close()
    }
  }

  /** The last lines written since `from`. */
  async tail(from = 0, lines = 12): Promise<string> {
    const file = await open(this.path, 'r').catch(() => undefined)
    if (!file) return ''
    try {
      const { size } = await file.stat()
      const start = Math.max(from > size ? 0 : from, size - 64 * 1024)
      const { buffer, bytesRead } = await file.read(Buffer.alloc(size - start), 0, size - start, start)
      return buffer.subarray(0, bytesRead).toString('utf8').trimEnd().split('\n').slice(-lines).join('\n')
    } finally {
      await file.close()
    }
  }

  /** Starts the file over when it is full. Copied, then cut: the server keeps its descriptor; a line written between the two is lost. */
  async keepBounded(): Promise<void> {
    const size = await stat(this.path).then(
      (found) => found.size,
      () => 0,
    )
    if (size <= LARGEST_BYTES) return
    await copyFile(this.path, `${this.path}.1`)
    await truncate(this.path)
  }
}

/** Appends messages to a file, one JSON text a line, and forces each batch to the disk before it counts as delivered. */
import { type FileHandle, open, stat } from 'node:fs/promises'
import { delivered, type Message, type Outcome, PublishError, type Publisher, type PublisherSettings } from '../publisher.ts'

const advice: Readonly<Record<string, string>> = {
  EACCES: 'no permission to write the file',
  EPERM: 'no permission to write the file',
  EROFS: 'the disk is read only',
  EISDIR: 'the path is a directory',
  ENOSPC: 'the disk is full',
  ENOTDIR: 'a part of the path is a file',
  ENOENT: 'the directory does not exist: make it, or correct publishers.file_path',
}

function asPublishError(cause: unknown): PublishError {
  const code = (cause as NodeJS.ErrnoException).code ?? ''
  const known = advice[code]
  return new PublishError(known === undefined || code === 'ENOSPC' ? 'failed' : 'misconfigured', known ?? 'the file cannot be written', {
    cause,
  })
}

export function filePublisher({ file }: PublisherSettings): Publisher {
  let handle: FileHandle | null = null

  /** The handle goes on with the old file when that was moved away (rotation): then a new one is begun under the name. */
  async function current(): Promise<FileHandle> {
    if (handle) {
      const [mine, named] = await Promise.all([handle.stat(), stat(file.path).catch(() => null)])
      if (named !== null && named.ino === mine.ino && named.dev === mine.dev) return handle
      await close()
    }
    // Directories are not made: a mistyped one would take the events where nobody looks.
    handle = await open(file.path, 'a+', 0o640)
    await startOnNewLine(handle)
    return handle
  }
  async function close(): Promise<void> {
    const old = handle
    handle = null
    await old?.close()
  }

  return {
    async open() {
      await current().catch((cause: unknown) => {
        throw asPublishError(cause)
      })
    },
    async publish(messages: readonly Message[]): Promise<readonly Outcome[]> {
      try {
        const to = await current()
        await to.appendFile(messages.map(({ body }) => `${body}\n`).join(''))
        await to.datasync()
        return messages.map(() => delivered)
      } catch (cause) {
        return messages.map(() => ({ is: 'failed', error: asPublishError(cause) }))
      }
    },
    close,
  }
}

/** A write that broke off left a part of a line: the line after it must not be glued to it. The message comes again, whole. */
async function startOnNewLine(handle: FileHandle): Promise<void> {
  const { size } = await handle.stat()
  if (size === 0) return
  const { buffer } = await handle.read({ buffer: Buffer.alloc(1), position: size - 1, length: 1 })
  if (buffer[0] !== 10) await handle.appendFile('\n')
}

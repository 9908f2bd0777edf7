/** `ledger export|verify`: the hash-chained record, to keep elsewhere and to check without the server. */
import { once } from 'node:events'
import { createWriteStream } from 'node:fs'
import { readFile } from 'node:fs/promises'
import path from 'node:path'
import { finished } from 'node:stream/promises'
import type { Command } from 'commander'
import type { LedgerEntry, LedgerExport } from '../../ledger/verify.ts'
import { CliError, usageError } from '../cli-error.ts'
import type { Context } from '../context.ts'
import { inertJson, inertLine } from '../../log/inert-text.ts'

type Page = LedgerExport & { readonly format: string; readonly next_after: number | null }

export function addLedger(program: Command, context: Context): void {
  const ledger = program
    .command('ledger')
    .summary('export and verify the record')
    .description('The record: every event, numbered without a gap, each with the hash of the one before it.')
  ledger
    .command('export')
    .summary('write the whole chain as JSON')
    .description(
      'Write the whole hash chain as one JSON document, to standard output or a file. `ledger verify` checks it without the server.',
    )
    .option('--out <file>', 'write to this file')
    .action((options: { out?: string }) => exportLedger(context, options.out))
  ledger
    .command('verify-content')
    .summary('verify what the record of a server speaks of')
    .description(
      'Have the server compare results, decisions, decided orders and documents with the digests on its record. Exit code 9 when something is not what was written. `ledger verify --server --content` verifies the record as well.',
    )
    .addHelpText('after', '\nExample:\n  work-manager ledger verify-content\n')
    .action(async () => tellContent(context, await verifyContent(context)))
  for (const parent of [ledger, program])
    parent
      .command('verify')
      .argument('[file]', 'what `ledger export` wrote, or - for standard input')
      .summary('verify an export offline, or the record of a server')
      .description(
        'Recompute every hash of an export, without any server; or with --server have the server recompute its own record, which also finds events that nobody numbered. Exit code 9 when it does not hold, naming the first entry that is damaged.',
      )
      .option('--server', 'verify the record of the server instead of a file')
      .option('--content', 'with --server: also compare results, decisions and documents with the digests on the record')
      .option('--checkpoint <seq:hash>', 'a head that was written down earlier: shows a chain that was computed anew')
      .addHelpText('after', `\nExample:\n  work-manager ${parent === ledger ? 'ledger ' : ''}verify ledger.json --checkpoint 1042:6f1c…\n`)
      .action((file: string | undefined, options: VerifyOptions) => verify(context, file, options))
}

function tellContent(context: Context, entries: number): void {
  context.out.answer({ ok: true, entries }, () =>
    context.out.line(`${context.out.paint.green('It holds')}: what ${entries} entries speak of is what they say.`),
  )
}

async function exportLedger(context: Context, file: string | undefined): Promise<void> {
  const client = await context.client()
  const stream = file === undefined ? undefined : createWriteStream(path.resolve(context.cwd, file), { mode: 0o600 })
  const written = stream === undefined ? Promise.resolve() : finished(stream)
  const target = stream ?? context.out.streams.stdout
  /** Waits for whoever reads: the record may be larger than memory. */
  const write = async (text: string): Promise<void> => {
    if (!target.write(text)) await once(target, 'drain', { signal: context.interrupt.signal })
  }
  let after: number | null = 0
  let entries = 0
  let page: Page
  try {
    do {
      page = (await client.call('export_ledger', { after, limit: 1000 })).body
      if (after === 0) await write(`{"format":${JSON.stringify(page.format)},"tenant_id":${JSON.stringify(page.tenant_id)},"entries":[`)
      for (const entry of page.entries) await write(`${entries++ === 0 ? '' : ','}\n${inertJson(entry)}`)
      after = page.next_after
    } while (after !== null)
    await write(`\n],"head":${JSON.stringify(page.head)}}\n`)
  } finally {
    stream?.end()
    await written.catch((cause: NodeJS.ErrnoException) => {
      throw usageError(`${file} cannot be written (${cause.code}).`, 'Name a file in a directory that you may write to.')
    })
  }
  context.out.note(`${entries} entries${page.head === null ? '' : `; checkpoint ${page.head.seq}:${page.head.hash}`}`)
}

/** What the record speaks of, in several calls; returns the last entry that was looked at. */
async function verifyContent(context: Context): Promise<number> {
  const client = await context.client()
  let after: number | null = 0
  let seq = 0
  while (after !== null) {
    const part = (await client.call('verify_content', { after })).body as Omit<ServerVerdict, 'head'>
    if (!part.ok) throw damaged(part, null)
    seq = part.seq
    after = part.next_after
  }
  return seq
}

interface VerifyOptions {
  readonly checkpoint?: string
  readonly server?: boolean
  readonly content?: boolean
}

async function verify(
  context: Context,
  file: string | undefined,
  { checkpoint: checkpointText, server = false, content = false }: VerifyOptions,
): Promise<void> {
  if (server === (file !== undefined))
    throw usageError('Name either a file or --server.', 'work-manager ledger verify ledger.json, or work-manager ledger verify --server.')
  const checkpoint = /^(\d{1,15}):([0-9a-f]{64})$/.exec(checkpointText ?? '')
  if (checkpointText !== undefined && checkpoint === null)
    throw usageError(
      `--checkpoint '${checkpointText}' is not seq:hash.`,
      'Write it as `ledger export` showed it: a number, a colon, 64 hexadecimal digits.',
    )
  if (content && !server) throw usageError('--content needs the server.', 'work-manager ledger verify --server --content.')
  if (file === undefined) return verifyServer(context, checkpointText, content)
  const exported = await readExport(context, file)
  const { verifyExport } = await import('../../ledger/verify.ts')
  const verdict = verifyExport(exported, checkpoint === null ? null : { seq: Number(checkpoint[1]), hash: checkpoint[2]! })
  if (verdict.ok) return tellWhole(context, verdict)
  const kind = exported.entries.find((entry) => entry.seq === verdict.seq)?.event?.kind ?? null
  throw damaged(verdict, kind)
}

interface ServerVerdict {
  readonly ok: boolean
  readonly seq: number
  readonly damage: string
  readonly detail: string
  readonly head: { readonly seq: number; readonly hash: string } | null
  readonly next_after: number | null
}

/** A long chain in several calls, until its end or the first damage. */
async function verifyServer(context: Context, checkpoint: string | undefined, content: boolean): Promise<void> {
  const client = await context.client()
  // Once passed it has been compared; a call that begins behind it would refuse it.
  const noted = checkpoint === undefined ? 0 : Number(checkpoint.split(':')[0])
  let after: number | null = 0
  let verdict: ServerVerdict
  do {
    verdict = (await client.call('verify_ledger', { after, ...(noted > after ? { checkpoint } : {}) })).body as ServerVerdict
    after = verdict.next_after
  } while (after !== null)
  if (!verdict.ok) throw damaged(verdict, null)
  if (content) await verifyContent(context)
  tellWhole(context, { ok: true, entries: verdict.seq, head: verdict.head })
}

function tellWhole(context: Context, verdict: { ok: true; entries: number; head: { seq: number; hash: string } | null }): void {
  const end = verdict.head === null ? '' : `, head ${verdict.head.hash}`
  context.out.answer(verdict, () => context.out.line(`${context.out.paint.green('It holds')}: ${verdict.entries} entries${end}.`))
}

const damaged = (verdict: { seq: number; damage: string; detail: string }, kind: string | null): CliError =>
  new CliError(
    'damaged',
    verdict.damage,
    `The record does not hold at entry ${verdict.seq}${kind === null ? '' : ` (${inertLine(kind)})`}: ${verdict.detail}.`,
    'Everything before this entry is sound. Compare with another export or checkpoint to see what was changed.',
    { members: { seq: verdict.seq, kind, damage: verdict.damage } },
  )

async function readExport(context: Context, file: string): Promise<LedgerExport> {
  let text = ''
  try {
    if (file === '-') for await (const chunk of context.out.streams.stdin.setEncoding('utf8')) text += chunk as string
    else text = await readFile(path.resolve(context.cwd, file), 'utf8')
  } catch (cause) {
    throw usageError(
      `${file} cannot be read (${(cause as NodeJS.ErrnoException).code}).`,
      'Name a file that `work-manager ledger export` wrote.',
    )
  }
  const value = ((): unknown => {
    try {
      return JSON.parse(text)
    } catch {
      return undefined
    }
  })() as Partial<LedgerExport> | undefined
  const isEntry = (entry: LedgerEntry | null) =>
    typeof entry === 'object' &&
    entry !== null &&
    typeof entry.seq === 'number' &&
    typeof entry.hash === 'string' &&
    entry.event !== undefined
  if (typeof value?.tenant_id !== 'string' || !Array.isArray(value.entries) || value.head === undefined || !value.entries.every(isEntry))
    throw new CliError(
      'damaged',
      'not_an_export',
      `${file} is not a whole export: it is cut off, or something else.`,
      'Export again: work-manager ledger export --out ledger.json.',
    )
  return value as LedgerExport
}

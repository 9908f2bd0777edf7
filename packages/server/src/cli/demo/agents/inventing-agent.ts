/**
 * The agent that makes something up, once: a quote that sounds right and stands nowhere. The server reads the file, refuses, and says
 * which field is wrong and why; the lease stays, so the agent corrects itself and hands in again.
 */
import { isWorkError } from '@work-manager/sdk'
import type { LeasedItem } from '../client.ts'
import { holdingLease, type Surroundings, type Work } from './agent.ts'
import { auditPackages } from './audit.ts'
import { honestWork } from './honest-agent.ts'

const invention = 'This package is licensed under a permissive open source licence; all use is granted.'

export function inventingAgent(): Work {
  let hasInvented = false
  return async (item, around) => {
    if (!hasInvented) {
      hasInvented = true
      await holdingLease(item, around.api, () => handInAnInvention(item, around))
    }
    await honestWork(item, around)
  }
}

async function handInAnInvention(item: LeasedItem, { api, directory, stage, tell }: Surroundings): Promise<void> {
  const answers = await auditPackages(item, directory)
  // Any package would do; the one with the shortest path makes the refusal easy to read.
  const chosen = answers.reduce((shortest, answer) => (answer.file.length < shortest.file.length ? answer : shortest))
  tell(`${stage.nameOf(item)}: tries an invented quote for ${chosen.name}`)
  await stage.cueForHandIn(item)
  try {
    await api.submit(item, { packages: answers.map((answer) => (answer === chosen ? { ...answer, quote: invention } : answer)) })
    tell('the server believed an invented quote: this must not happen, please report it', 'refused')
  } catch (error) {
    if (!isWorkError(error, 'verification_failed')) throw error
    stage.witnessed.inventedQuoteRefused = error
    const [finding] = error.errors
    tell(`refused, ${error.status}. ${finding ? `${finding.field}: ${finding.message}` : error.detail}`, 'refused')
    tell('reads the file again and corrects the quote')
  }
}

/**
 * The agent that goes silent on its first item, as one does whose machine sleeps: no heartbeat, so the lease runs out and the server
 * gives the item to somebody else. When it comes back, its late hand-in is refused by the fencing token, however right the answer is.
 */
import { isLeaseLost } from '@work-manager/sdk'
import type { LeasedItem } from '../client.ts'
import type { Surroundings, Work } from './agent.ts'
import { auditPackages } from './audit.ts'
import { honestWork } from './honest-agent.ts'

/** `onFirstItem` is called once it holds an item, silent or not. */
export function silentAgent(onFirstItem: () => void): Work {
  let wasSilent = false
  return async (item, around) => {
    // Only ever on a fresh item: attempts are bounded, and a demo that is interrupted again and again must not use them up.
    const staysSilent = !wasSilent && item.attempt === 1
    wasSilent = true
    if (staysSilent) return sleepThroughTheLease(item, around, onFirstItem)
    onFirstItem()
    await honestWork(item, around)
  }
}

async function sleepThroughTheLease(item: LeasedItem, { api, directory, stage, tell }: Surroundings, onSilence: () => void): Promise<void> {
  const answers = await auditPackages(item, directory)
  tell(`takes ${stage.nameOf(item)} and goes silent: no heartbeat`, 'quiet')
  const takenOver = stage.fellSilent(item)
  onSilence()
  await takenOver
  try {
    tell(`wakes up and hands ${stage.nameOf(item)} in, too late`)
    await api.submit(item, { packages: answers })
    tell('the server took a hand-in without a lease: this must not happen, please report it', 'refused')
  } catch (error) {
    if (!isLeaseLost(error)) throw error
    stage.witnessed.staleHandInRefused = error
    tell(`refused, ${error.status} ${error.code}: ${error.detail}`, 'refused')
  } finally {
    stage.lateTryIsOver()
  }
}

/**
 * The agent that goes silent on its first item, as one does whose machine sleeps: no heartbeat, so the lease runs out and the server
 * gives the item to somebody else. When it comes back, its late hand-in is refused by the fencing token, however right the answer is.
 */
import { ApiRefusal, type LeasedItem } from '../client.ts'
import { isLost, type Surroundings, type Work } from './agent.ts'
import { auditPackages } from './audit.ts'
import { honestWork } from './honest-agent.ts'

export function silentAgent(onSilence: () => void): Work {
  let wasSilent = false
  return async (item, around) => {
    if (wasSilent) return honestWork(item, around)
    wasSilent = true
    await sleepThroughTheLease(item, around, onSilence)
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
    if (!(error instanceof ApiRefusal) || !isLost(error)) throw error
    stage.witnessed.staleHandInRefused = error
    tell(`refused, ${error.status} ${error.code}: ${error.message}`, 'refused')
  } finally {
    stage.lateTryIsOver()
  }
}

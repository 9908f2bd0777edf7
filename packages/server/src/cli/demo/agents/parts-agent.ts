/** The agent that works in parts: it hands in each package as soon as it has it, and the server puts the result together at the end. */
import { holdingLease, type Work } from './agent.ts'
import { auditPackages } from './audit.ts'
import { counted } from '../narration.ts'

export const partsWork: Work = async (item, { name, api, directory, stage }) => {
  const { parts, receipt } = await holdingLease(item, api, async () => {
    const answers = await auditPackages(item, directory)
    for (const answer of answers) await api.submitPart(item, `${answer.name}@${answer.version}`, answer)
    await stage.cueForHandIn(item)
    return { parts: answers.length, receipt: await api.finalize(item) }
  })
  stage.witnessed.partsAssembled += parts
  stage.witnessed.resultsFromParts++
  stage.handedIn(name, item, receipt.order_state, `${counted(parts, 'part')}, assembled and checked by the server`)
}

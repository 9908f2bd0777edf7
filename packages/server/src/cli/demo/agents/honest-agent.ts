/** The agent as it should be: reads, answers with proof, hands in. */
import { holdingLease, type Work } from './agent.ts'
import { auditPackages, licenceCounts } from './audit.ts'

export const honestWork: Work = async (item, { name, api, directory, stage }) => {
  const { answers, receipt } = await holdingLease(item, api, async () => {
    const answers = await auditPackages(item, directory)
    await stage.cueForHandIn(item)
    return { answers, receipt: await api.submit(item, { packages: answers }) }
  })
  stage.handedIn(name, item, receipt.order_state, licenceCounts(answers))
}

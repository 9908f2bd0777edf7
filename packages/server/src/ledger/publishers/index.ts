import { publisherNames } from '@work-manager/contract'
import { defineNoun } from '../tools.ts'
import { discardParkedMessage } from './discard-parked-message.ts'
import { listParkedMessages } from './list-parked-messages.ts'
import { listPublishers } from './list-publishers.ts'
import { movePublisherCursor } from './move-publisher-cursor.ts'
import { retryParkedMessages } from './retry-parked-messages.ts'
import { publisherService } from './services.ts'

export const publishers = defineNoun({
  name: 'publishers',
  operations: [listPublishers, movePublisherCursor, listParkedMessages, retryParkedMessages, discardParkedMessage],
  services: Object.fromEntries(publisherNames.map((name) => [`publisher-${name}`, publisherService(name)])),
  commands: { publishers: 'events to other systems: see how far they are, mend what is stuck' },
})

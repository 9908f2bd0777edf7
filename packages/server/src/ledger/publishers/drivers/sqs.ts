/** SendMessageBatch; a FIFO queue (name ending in .fifo) keeps the order of each order, a standard queue does not. */
import type { SQSClient } from '@aws-sdk/client-sqs'
import type { Publisher, PublisherSettings } from '../publisher.ts'
import { asAwsError, asAwsText, clientOptions, fifoMembers, inRequests } from './aws-batch.ts'
import { loadClient } from './client-package.ts'

export const sqsPackages = ['@aws-sdk/client-sqs']

export function sqsPublisher(settings: PublisherSettings): Publisher {
  const { queueUrl } = settings.sqs
  const isFifo = queueUrl.endsWith('.fifo')
  let client: SQSClient | null = null
  const load = () => loadClient(() => import('@aws-sdk/client-sqs'), sqsPackages)
  return {
    async open() {
      const sdk = await load()
      // The queue's own URL is where it is reached, unless a setting says otherwise.
      client = new sdk.SQSClient({ ...clientOptions(settings), useQueueUrlAsEndpoint: settings.aws.endpoint === undefined })
      await client.send(new sdk.GetQueueAttributesCommand({ QueueUrl: queueUrl, AttributeNames: ['QueueArn'] })).catch((cause: unknown) => {
        throw asAwsError(cause)
      })
    },
    async publish(messages) {
      const { SendMessageBatchCommand } = await load()
      return inRequests(messages, settings.timeoutMs, (request) =>
        client!.send(
          new SendMessageBatchCommand({
            QueueUrl: queueUrl,
            Entries: request.map((message, n) => ({
              Id: String(n),
              MessageBody: asAwsText(message.body),
              ...fifoMembers(isFifo, message),
            })),
          }),
        ),
      )
    },
    async close() {
      client?.destroy()
      client = null
    },
  }
}

/** PublishBatch; a FIFO topic (name ending in .fifo) keeps the order of each order. The attributes `type` and `kind` serve filter policies. */
import type { SNSClient } from '@aws-sdk/client-sns'
import type { Publisher, PublisherSettings } from '../publisher.ts'
import { asAwsError, asAwsText, clientOptions, fifoMembers, inRequests } from './aws-batch.ts'
import { loadClient } from './client-package.ts'

export const snsPackages = ['@aws-sdk/client-sns']

export function snsPublisher(settings: PublisherSettings): Publisher {
  const { topicArn } = settings.sns
  const isFifo = topicArn.endsWith('.fifo')
  let client: SNSClient | null = null
  const load = () => loadClient(() => import('@aws-sdk/client-sns'), snsPackages)
  const text = (value: string) => ({ DataType: 'String', StringValue: value })
  return {
    async open() {
      const sdk = await load()
      client = new sdk.SNSClient(clientOptions(settings))
      await client.send(new sdk.GetTopicAttributesCommand({ TopicArn: topicArn })).catch((cause: unknown) => {
        throw asAwsError(cause)
      })
    },
    async publish(messages) {
      const { PublishBatchCommand } = await load()
      return inRequests(messages, settings.timeoutMs, (request) =>
        client!.send(
          new PublishBatchCommand({
            TopicArn: topicArn,
            PublishBatchRequestEntries: request.map((message, n) => ({
              Id: String(n),
              Message: asAwsText(message.body),
              MessageAttributes: { type: text(message.type), kind: text(message.kind) },
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

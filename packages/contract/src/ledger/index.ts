export * from './event.ts'
export * from './metrics.ts'
export * from './publisher.ts'
export * from './record.ts'

import { expect, it } from 'vitest'
import { publisherDrivers } from './index.ts'
import { loadClient, missingPackages } from './client-package.ts'

it('a client library that is not installed is named, with the command that installs it', async () => {
  expect(missingPackages(['amqplib', '@work-manager/no-such-client'])).toEqual(['@work-manager/no-such-client'])
  const absent = '@work-manager/no-such-client'
  await expect(loadClient(() => import(absent), [absent])).rejects.toMatchObject({
    code: 'misconfigured',
    message: 'its client library is not installed: npm install @work-manager/no-such-client',
  })
})

it('every client library that a driver names is one that the tests have', () => {
  for (const [name, { packages }] of Object.entries(publisherDrivers)) expect(missingPackages(packages), name).toEqual([])
})

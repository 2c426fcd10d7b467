import { afterAll, beforeAll, expect, it } from 'vitest'
import { instance } from '../dev/seed-instance.ts'
import { ConsoleUnderTest } from './console-under-test.ts'

let console_: ConsoleUnderTest
beforeAll(async () => {
  console_ = await ConsoleUnderTest.start()
})
afterAll(() => console_[Symbol.asyncDispose]())

it('ten thousand instances that wait are counted in full and shown in slices', async () => {
  const waiting = { phase: 'pending', ready: false, inTraffic: false, message: 'no node has room' } as const
  for (let n = 2; n <= 10_000; n += 1)
    console_.mock.store.put('listInstances', instance('shop', 'staging', 'web', n, Date.now(), waiting))
  const page = await console_.enter('/apps/shop/staging')
  await page.getByText('The first 200 of 10,000 are shown.').waitFor()
  const rows = page.getByRole('region', { name: 'web', exact: true }).locator('tbody tr')
  await expect.poll(() => rows.count()).toBe(200)
  await page.getByRole('button', { name: 'Show more' }).click()
  await page.getByText('The first 400 of 10,000 are shown.').waitFor()
  await expect.poll(() => rows.count()).toBe(400)
})

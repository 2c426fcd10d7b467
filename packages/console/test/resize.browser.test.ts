import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { ConsoleUnderTest } from './console-under-test.ts'

let console_: ConsoleUnderTest
beforeAll(async () => {
  console_ = await ConsoleUnderTest.start()
})
afterEach(() => console_.closePages())
afterAll(() => console_[Symbol.asyncDispose]())

describe('resizing', () => {
  it('shows what becomes of each instance before it is done, and goes back to what is written', async () => {
    const page = await console_.enter('/apps/search/production')
    await page.getByRole('button', { name: 'Resize query' }).click()
    const dialog = page.getByRole('dialog', { name: 'Resize search/production/query' })
    await dialog.getByLabel('CPU, in cores').fill('1,5')
    await dialog.getByRole('button', { name: 'Show what it does' }).click()
    await dialog.getByRole('alert').getByText('decimals come after a point; write 1.5').waitFor()
    await dialog.getByLabel('CPU, in cores').fill('1.5')
    await dialog.getByRole('button', { name: 'Show what it does' }).click()
    await dialog.getByText('1.3 CPU → 1.5 CPU').first().waitFor()
    await expect.poll(() => dialog.locator('.resize-effects li').count()).toBe(24)
    await dialog.getByRole('button', { name: 'Resize', exact: true }).click()
    const query = page.getByRole('region', { name: 'query' })
    await query.getByText('yaml: 1.3 · 2 GiB').waitFor()
    await query.getByText('1.5 cores · 2 GiB').waitFor()
    await query.getByRole('button', { name: 'Resize query' }).click()
    await dialog.getByLabel('As its berth.yaml says: 1.3 · 2 GiB').check()
    await dialog.getByRole('button', { name: 'Show what it does' }).click()
    await dialog.getByRole('button', { name: 'Resize', exact: true }).click()
    await query.getByText('1.3 cores · 2 GiB').waitFor()
    await expect.poll(() => query.getByText('yaml: 1.3').count()).toBe(0)
  })

  it('says who is replaced, and does nothing where somebody would find no place', async () => {
    const page = await console_.enter('/apps/search/production')
    await page.getByRole('button', { name: 'Resize index' }).click()
    const dialog = page.getByRole('dialog', { name: 'Resize search/production/index' })
    await dialog.getByLabel('CPU, in cores').fill('60')
    await dialog.getByRole('button', { name: 'Show what it does' }).click()
    await dialog
      .getByText(/is replaced by one on mast-2 · mast-1 has 24.3 cores left/)
      .first()
      .waitFor()
    await dialog.getByRole('button', { name: 'Back' }).click()
    await dialog.getByLabel('CPU, in cores').fill('300')
    await dialog.getByRole('button', { name: 'Show what it does' }).click()
    await dialog.getByText('6 of 6 find no place with these sizes').waitFor()
    await expect.poll(() => dialog.getByRole('button', { name: 'Resize', exact: true }).isDisabled()).toBe(true)
  })

  it('changes one instance alone', async () => {
    const page = await console_.enter('/instances/search.production.rank-1')
    await page.getByRole('button', { name: 'Resize' }).click()
    const dialog = page.getByRole('dialog', { name: 'Resize rank-1' })
    await dialog.getByText('This instance alone').waitFor()
    await dialog.getByLabel('Memory').fill('4Gi')
    await dialog.getByRole('button', { name: 'Show what it does' }).click()
    await dialog.getByText('runs on: 2 GiB → 4 GiB').waitFor()
    await dialog.getByRole('button', { name: 'Resize', exact: true }).click()
    await expect
      .poll(() => console_.mock.store.get('listInstances', 'search.production.rank-1')?.memoryBytes)
      .toBe(4 * 1024 ** 3)
  })

  it('is not offered to viewers', async () => {
    const page = await console_.enter('/apps/search/production', { token: 'berth_viewer_token' })
    await page.getByRole('region', { name: 'query' }).waitFor()
    expect(await page.getByRole('button', { name: /Resize/ }).count()).toBe(0)
  })
})

describe('right sizes', () => {
  it('are what is used beside what is asked for, what frees most first, and applied after a look', async () => {
    const page = await console_.enter('/advice')
    const first = page.locator('.advice').first()
    await first.getByRole('link', { name: 'index' }).waitFor()
    await first.getByText('mostly below 1.8 · at most 2.49 · asks 8').waitFor()
    await first.getByText('6 instances · frees 30 CPU · sure').waitFor()
    await page.getByRole('row').filter({ hasText: 'score' }).getByText('42 min more').waitFor()
    await page.getByRole('button', { name: 'Resize so index' }).click()
    const dialog = page.getByRole('dialog', { name: 'Resize search/production/index' })
    await dialog.getByText('runs on: 8 CPU → 3 CPU').first().waitFor()
    await dialog.getByRole('button', { name: 'Resize', exact: true }).click()
    await expect.poll(() => console_.mock.store.get('listInstances', 'search.production.index-1')?.cpuMilli).toBe(3000)
  })

  it('are seen, not applied, by viewers', async () => {
    const page = await console_.enter('/advice', { token: 'berth_viewer_token' })
    await page.locator('.advice').first().waitFor()
    expect(await page.getByRole('main').getByRole('button').count()).toBe(0)
  })
})

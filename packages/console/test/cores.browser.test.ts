import type { Page } from 'playwright-core'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { ConsoleUnderTest, overflow } from './console-under-test.ts'

let console_: ConsoleUnderTest
beforeAll(async () => {
  console_ = await ConsoleUnderTest.start()
})
afterEach(() => console_.closePages())
afterAll(() => console_[Symbol.asyncDispose]())

const cells = (page: Page) => page.locator('.core')
const focused = (page: Page) => page.evaluate(() => document.activeElement?.getAttribute('aria-label') ?? '')

describe.each([1280, 390])('the map of cores at %d pixels', (width) => {
  it.each([
    ['mast-1', 64, 2],
    ['mast-2', 256, 8],
  ])('of %s shows %d cores on %d NUMA nodes, within the window', async (node, cores, numas) => {
    const page = await console_.enter(`/nodes/${node}`, { width })
    await cells(page).first().waitFor()
    await expect.poll(() => cells(page).count()).toBe(cores)
    await expect.poll(() => page.locator('.numa').count()).toBe(numas)
    await expect.poll(() => overflow(page)).toBeLessThanOrEqual(0)
    const narrowest = () =>
      cells(page).evaluateAll((all) => Math.min(...all.map((each) => each.getBoundingClientRect().width)))
    await expect.poll(narrowest).toBeGreaterThanOrEqual(20)
  })
})

it('a fragment takes its share of the cell', async () => {
  const page = await console_.enter('/nodes/anchor-2')
  await cells(page).first().waitFor()
  const shares = async () => {
    const parts = cells(page).nth(1).locator('.part')
    const widths = await parts.evaluateAll((all) => all.map((each) => each.getBoundingClientRect().width))
    const whole = widths.reduce((a, b) => a + b, 0)
    return widths.map((each) => Math.round((10 * each) / whole))
  }
  await expect.poll(shares).toEqual([5, 3, 2])
})

it('tells whose it is under the pointer, shows all that the instance owns, and leads to it', async () => {
  const page = await console_.enter('/nodes/mast-2')
  await cells(page).first().waitFor()
  await page.getByRole('link', { name: /^Core 0: search.production.index-3, all of it/ }).hover()
  await page.locator('.core-tip').getByText('search.production.index-3').waitFor()
  await expect.poll(() => page.locator('.part-same').count()).toBe(8)
  await page.getByRole('link', { name: /^Core 1: search.production.index-3/ }).click()
  await page.waitForURL('**/instances/search.production.index-3')
})

it('is one stop of Tab; arrows go on from there, Enter opens, Escape puts the note away', async () => {
  const page = await console_.enter('/nodes/anchor-2')
  await cells(page).first().waitFor()
  await expect.poll(() => page.locator('.core [tabindex="0"]').count()).toBe(1)
  await page.locator('.core [tabindex="0"]').focus()
  await expect.poll(() => focused(page)).toMatch(/^Core 0: shop.production.web-2, 0.5 of it/)
  await page.keyboard.press('ArrowRight')
  await page.keyboard.press('ArrowRight')
  await expect.poll(() => focused(page)).toMatch(/^Core 1: shop.production.worker-2/)
  await page.locator('.core-tip').getByText('ledger.production.api-2').waitFor()
  await page.keyboard.press('Escape')
  await expect.poll(() => page.locator('.core-tip').count()).toBe(0)
  await page.keyboard.press('End')
  await expect.poll(() => focused(page)).toMatch(/^Core 8: /)
  await page.keyboard.press('Home')
  await page.keyboard.press('Enter')
  await page.waitForURL('**/instances/shop.production.web-2')
})

it('goes up and down by what is seen', async () => {
  const page = await console_.enter('/nodes/mast-1')
  await cells(page).first().waitFor()
  await page.locator('.core [tabindex="0"]').focus()
  const left = () => page.evaluate(() => document.activeElement?.getBoundingClientRect().left)
  const before = await left()
  await page.keyboard.press('ArrowDown')
  await expect.poll(() => focused(page)).not.toMatch(/^Core 0:/)
  await expect.poll(left).toBe(before)
  await page.keyboard.press('ArrowUp')
  await expect.poll(() => focused(page)).toMatch(/^Core 0:/)
})

it('says what is wrong: more given out than there is, who is held back, who gets too little', async () => {
  const page = await console_.enter('/nodes/anchor-2')
  await page.getByText('Over-committed: more is given out here than there is').waitFor()
  await page.goto(`${console_.mock.url}/nodes/mast-1`)
  await page.getByText('is held back by its limit, 0.18 of a second in each').waitFor()
  await page.getByText('gets less of its shared core than was promised at this moment').waitFor()
})

it('is a table as well, in the address', async () => {
  const page = await console_.enter('/nodes/anchor-2')
  await page.getByRole('navigation', { name: 'Show as' }).getByRole('link', { name: 'Table' }).click()
  const table = page.getByRole('table', { name: 'Cores' })
  await table.getByRole('row', { name: /^8 0 conflict, not reported by the node/ }).waitFor()
  await expect.poll(() => table.getByRole('row').count()).toBe(10)
  await expect.poll(() => page.url()).toContain('?cores=table')
})

it('is live while it is seen', async () => {
  const page = await console_.enter('/nodes/mast-1')
  await cells(page).first().waitFor()
  const instance = console_.mock.store.get('listInstances', 'fraud.production.score-1')
  if (instance === undefined) throw new Error('the mock has no score-1')
  const owned = page.getByRole('link', { name: /fraud.production.score-1,/ })
  await expect.poll(() => owned.count()).toBe(1)
  console_.mock.store.remove('listInstances', instance.id)
  await expect.poll(() => owned.count()).toBe(0)
  console_.mock.store.put('listInstances', instance)
})

it('where nobody owns cores it shows how busy they are', async () => {
  const page = await console_.enter('/nodes/anchor-1')
  await page.getByText('Nobody owns cores here').waitFor()
  await expect.poll(() => page.locator('.core-plain').count()).toBe(8)
})

import { readFileSync } from 'node:fs'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { ConsoleUnderTest } from './console-under-test.ts'

let console_: ConsoleUnderTest
beforeAll(async () => {
  console_ = await ConsoleUnderTest.start()
})
afterEach(() => console_.closePages())
afterAll(() => console_[Symbol.asyncDispose]())

describe('a plan', () => {
  it('answers what would be with other counts, in an address to be sent', async () => {
    const page = await console_.enter('/apps/search/production/plan')
    await page.getByText('Nothing would change.').waitFor()
    await page.getByLabel('Instances of query').fill('28')
    await page.keyboard.press('Enter')
    await page.waitForURL('**/plan?replicas=query%3D28')
    await page.getByText('4 to create, 24 unchanged').waitFor()
    await page.getByText('4 instances · 2 nodes').waitFor()
    await page.getByRole('listitem').filter({ hasText: 'mast-1 fast' }).waitFor()
  })

  it('imagines nodes gone and others there, says what finds no place, and cannot be kept then', async () => {
    const page = await console_.enter('/apps/search/production/plan?replicas=query=300')
    await page
      .getByRole('note')
      .getByText(/find no place: .*too little CPU/)
      .waitFor()
    await page.locator('.placement-missing').getByText('Nowhere').waitFor()
    await page.getByText('not everything finds a place').waitFor()
    await page.getByLabel('Without these nodes').fill('mast-2')
    await page.keyboard.press('Enter')
    const added = page.getByLabel('With these nodes besides')
    await added.fill('many')
    await expect.poll(() => page.getByRole('button', { name: 'Add' }).last().isDisabled()).toBe(true)
    await added.fill('9xc64m256@fast')
    await page.getByRole('button', { name: 'Add' }).last().click()
    await page.getByRole('button', { name: 'Show the plan' }).click()
    await page.getByText('imagined', { exact: true }).first().waitFor()
    await page.getByText('some of its nodes are imagined').waitFor()
    await expect.poll(() => page.locator('.placement-missing').count()).toBe(0)
    await expect.poll(() => page.getByRole('button', { name: 'Do exactly this' }).count()).toBe(0)
    await page.getByRole('button', { name: 'Take mast-2 away' }).click()
    await expect.poll(() => page.getByRole('button', { name: 'Take mast-2 away' }).count()).toBe(0)
  })

  it('says who would be displaced', async () => {
    const page = await console_.enter('/apps/search/production/plan?replicas=rank=40')
    await page.getByText('2 instances of lower priority would leave:').waitFor()
    await page.getByRole('link', { name: 'video.production.upload-5' }).click()
    await page.waitForURL('**/instances/video.production.upload-5')
  })

  it('says how many more fit, what runs out first, and why', async () => {
    const page = await console_.enter('/apps/search/production/plan')
    const row = page.getByRole('table', { name: 'How many more fit' }).getByRole('row').filter({ hasText: 'index' })
    await row.getByText('CPU: 2 nodes').waitFor()
    await page.goto(`${console_.mock.url}/apps/search/production`)
    await page
      .getByRole('region', { name: 'index' })
      .getByRole('link', { name: /more fit, on 2 nodes; CPU runs out first/ })
      .click()
    await page.waitForURL('**/plan')
  })

  it('is kept as a file and done exactly; when the world has moved it is refused, and what moved is told', async () => {
    const page = await console_.enter('/apps/search/production/plan?replicas=rank=12')
    const keep = page.getByRole('button', { name: 'Keep as a file' })
    await keep.waitFor()
    const [download] = await Promise.all([page.waitForEvent('download'), keep.click()])
    expect(download.suggestedFilename()).toBe('search-production-v31.plan.json')
    const file = await download.path()
    expect(JSON.parse(readFileSync(file, 'utf8'))).toMatchObject({ app: 'search', replicas: { rank: 12 } })
    const node = console_.mock.store.get('listNodes', 'mast-1')
    if (node === undefined) throw new Error('the mock has no mast-1')
    console_.mock.store.put('listNodes', { ...node, schedulable: false })
    await page.getByRole('button', { name: 'Apply a plan from a file…' }).click()
    const dialog = page.getByRole('dialog', { name: 'Apply a saved plan' })
    await dialog.getByLabel('Saved plan').fill('{"app": 1}')
    await dialog.getByRole('alert').getByText('it is no saved plan').waitFor()
    await dialog.locator('input[type=file]').setInputFiles(file)
    await dialog.getByText('search/production').waitFor()
    await dialog.getByRole('button', { name: 'Do what it says' }).click()
    await dialog
      .getByRole('alert')
      .getByText(/mast-1 has changed.*plan again/)
      .waitFor()
    console_.mock.store.put('listNodes', node)
    await dialog.getByRole('button', { name: 'Do what it says' }).click()
    await page.waitForURL('**/apps/search/production')
    await page.getByText('search/production changes as planned').waitFor()
    await page.getByRole('region', { name: 'rank' }).getByText('/ 12 ready').waitFor()
  })

  it('of a release is rolled out as it was planned', async () => {
    const page = await console_.enter('/apps/shop/production/plan?release=v13')
    await page.getByRole('button', { name: 'Do exactly this' }).click()
    await page.waitForURL('**/rollouts/r-new*')
  })

  it('is the page behind the plans of deploying and scaling', async () => {
    const page = await console_.enter('/apps/shop/staging')
    await page.getByRole('button', { name: 'Scale web' }).click()
    await page.getByRole('button', { name: 'One more' }).click()
    await page.getByRole('dialog').getByRole('link', { name: 'Show the plan' }).click()
    await page.waitForURL('**/plan?replicas=web%3D2')
    await page.getByRole('dialog').waitFor({ state: 'detached' })
    await page.locator('[data-deploy]').waitFor()
    await page.keyboard.press('d')
    await page.getByRole('dialog').getByRole('button', { name: 'Show the plan' }).click()
    await page.getByRole('dialog').getByText('Where new instances run').waitFor()
    await page.getByRole('dialog').getByRole('link', { name: 'As a page' }).click()
    await page.waitForURL('**/plan?ref=HEAD')
    await page.getByText('commit HEAD is not built yet').waitFor()
  })

  it('can be asked for and kept by a viewer, and done by nobody who may not', async () => {
    const page = await console_.enter('/apps/search/production/plan?replicas=query=28', { token: 'berth_viewer_token' })
    await page.getByRole('button', { name: 'Keep as a file' }).waitFor()
    expect(await page.getByRole('button', { name: 'Do exactly this' }).count()).toBe(0)
    expect(await page.getByRole('button', { name: 'Apply a plan from a file…' }).count()).toBe(0)
  })
})

import type { Page } from 'playwright-core'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { ConsoleUnderTest } from './console-under-test.ts'

let console_: ConsoleUnderTest
beforeAll(async () => {
  console_ = await ConsoleUnderTest.start()
})
afterEach(() => console_.closePages())
afterAll(() => console_[Symbol.asyncDispose]())

/** What each page shows once it is there, and what of it only some may do. */
const pages: readonly (readonly [path: string, shows: string])[] = [
  ['/apps', '.app-line'],
  ['/apps/shop', '.pool-line'],
  ['/apps/shop/-/builds', '.table tbody tr'],
  ['/apps/newsletter', '.empty'],
  ['/apps/shop/production', '.table tbody tr'],
  ['/apps/shop/production/jobs', '.table tbody tr'],
  ['/apps/shop/production/history', '.table tbody tr'],
  ['/instances/shop.production.web-1', '.life-step'],
  ['/rollouts/r-k3v9x2mq', '.rollout'],
  ['/nodes', '.node-grid .card'],
  ['/nodes/anchor-1', '.meters'],
  ['/certificates', '.table tbody tr'],
  ['/apps/shop/-/pipeline', '.facts'],
  ['/routes/maintenance', '.table tbody tr'],
  ['/settings', '.table tbody tr'],
  ['/settings/prometheus', '.empty'],
  ['/settings/approvals', '.empty'],
  ['/settings/hooks', '.empty'],
  ['/settings/subscriptions', '.table tbody tr'],
  ['/network/lans', '.table tbody tr'],
]

/** Buttons that only look are for everybody. */
const looking = /Copy$|^(All|5 min|15 min|60 min|All \d+|With problems \d+|Rolling out \d+)$/

const offered = async (page: Page): Promise<string[]> =>
  (await page.locator('main button:not(:disabled)').allTextContents())
    .map((each) => each.trim())
    .filter((each) => !looking.test(each))

const links = async (page: Page): Promise<string[]> => page.locator('.tabs .tab').allTextContents()

describe('a viewer', () => {
  it('is offered nothing that changes anything', async () => {
    const page = await console_.enter('/apps', { token: 'berth_viewer_token' })
    for (const [path, shows] of pages) {
      await page.goto(console_.mock.url + path)
      await page.locator(shows).first().waitFor()
      expect(await offered(page), path).toEqual([])
    }
    expect(await page.locator('nav').getByRole('link', { name: 'Access tokens' }).count()).toBe(0)
  })

  it('has no tabs for what a deployer does, and is told so at their addresses', async () => {
    const page = await console_.enter('/apps/shop', { token: 'berth_viewer_token' })
    await page.locator('.pool-line').first().waitFor()
    expect((await links(page)).join()).not.toMatch(/Secrets|Settings/)
    for (const path of [
      '/apps/shop/-/secrets',
      '/apps/shop/production/settings',
      '/instances/shop.production.web-1/terminal',
    ]) {
      await page.goto(console_.mock.url + path)
      await page.getByText(/role deployer/).waitFor()
    }
    await page.goto(`${console_.mock.url}/tokens`)
    await page.getByText('Needs the role admin').waitFor()
    await page.keyboard.press('d')
    expect(await page.locator('dialog').count()).toBe(0)
  })
})

it('a deployer deploys, and leaves nodes and tokens alone', async () => {
  const page = await console_.enter('/apps/shop/production', { token: 'berth_deployer_token' })
  await page.locator('.table tbody tr').first().waitFor()
  await expect.poll(() => offered(page)).toEqual(expect.arrayContaining(['Deploy', 'Restart', 'Scale']))
  await expect.poll(async () => (await links(page)).join()).toMatch(/Settings/)
  await page.goto(`${console_.mock.url}/nodes/anchor-1`)
  await page.locator('.meters').first().waitFor()
  expect(await offered(page)).toEqual([])
  await page.goto(`${console_.mock.url}/settings/subscriptions`)
  await page.locator('.table tbody tr').first().waitFor()
  expect(await offered(page)).toEqual([])
  await page.goto(`${console_.mock.url}/routes/maintenance`)
  await page.getByRole('button', { name: 'Change shop.example.com' }).waitFor()
  expect(await page.locator('nav').getByRole('link', { name: 'Access tokens' }).count()).toBe(0)
})

import type { Page } from 'playwright-core'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { ConsoleUnderTest, overflow } from './console-under-test.ts'

let console_: ConsoleUnderTest
beforeAll(async () => {
  console_ = await ConsoleUnderTest.start()
})
afterEach(() => console_.closePages())
afterAll(() => console_[Symbol.asyncDispose]())

/** Address, and what its page shows when it has loaded. */
const pages: readonly (readonly [path: string, selector: string])[] = [
  ['/apps', '.app-line .pool-line'],
  ['/apps/shop', '.pool-line'],
  ['/apps/shop/-/releases', '.table tbody tr'],
  ['/apps/shop/-/releases/v14', '.spec'],
  ['/apps/shop/-/builds', '.table tbody tr'],
  ['/apps/shop/-/pipeline', '.table .button:text("production")'],
  ['/apps/newsletter/-/pipeline', '.empty'],
  ['/apps/shop/-/releases/v13', '.commit .subject'],
  ['/apps/shop/-/secrets', '.table tbody tr'],
  ['/apps/shop/-/events', '.event'],
  ['/apps/shop/-/settings', '.danger-zone'],
  ['/apps/shop/production', '.table tbody tr'],
  ['/apps/shop/production/entrypoints/web', '.table tbody tr'],
  ['/apps/shop/production/logs', '.line'],
  ['/apps/shop/production/metrics', '.chart canvas'],
  ['/apps/search/production/plan?replicas=query=300', '.placement-missing'],
  ['/apps/search/production/plan?replicas=query=60&with=2xc64m256@fast&without=mast-2', '.placement .chip'],
  ['/apps/shop/production/plan?release=v13', '.plan-actions'],
  ['/apps/shop/production/jobs', '.table tbody tr'],
  ['/apps/shop/production/settings', '.danger-zone'],
  ['/apps/shop/production/history', '.table .button'],
  ['/apps/customer-notifications-gateway', '.pool-line'],
  ['/apps/customer-notifications-gateway/production-frankfurt', '.usage'],
  ['/apps/shop/production/events', '.event'],
  ['/apps/newsletter', '.empty'],
  ['/instances/ledger.production.api-2', '.diagnosis .log-tail'],
  ['/instances/shop.production.migrate-2', '.diagnosis'],
  ['/instances/shop.production.web-1', '.life-step'],
  ['/instances/shop.production.web-1/logs', '.line'],
  ['/instances/shop.production.web-1/terminal', '.xterm'],
  ['/instances/shop.production.web-1/metrics', '.chart canvas'],
  ['/instances/gone', '.empty'],
  ['/rollouts/r-p7m2c4wd', '.failure'],
  ['/rollouts/r-2hd8w5zt', '.versions'],
  ['/rollouts/r-stages22', '.receipt-figures'],
  ['/apps/shop/staging/deploy', '.version-choice'],
  ['/apps/shop/-/compare?from=v12&to=v14', '.compare-sides'],
  ['/builds/b-6tq8h3ns', '.failure'],
  ['/activity', '.table tbody tr'],
  ['/schedules', '.schedule-runs'],
  ['/schedules/ledger/production/settle', '.run-row'],
  ['/schedules/shop/production/nothing', '.empty'],
  ['/nodes', '.node-grid .card'],
  ['/nodes/anchor-1', 'code:text("192.0.2.11:5000")'],
  ['/nodes/anchor-2', '.core-conflict'],
  ['/nodes/mast-2', '.core .part'],
  ['/nodes/mast-1?cores=table', '.table[aria-label] .lead'],
  ['/advice', '.use-bar'],
  ['/groups', '.group-owners'],
  ['/groups/fast', '.node-grid .card'],
  ['/groups/nobody', '.empty'],
  ['/routes', '[data-rate] .tone-bad'],
  ['/routes/topology', '.tone-of-bad .topology-target'],
  ['/routes/topology?show=table', '.table [data-rate]'],
  ['/routes/maintenance', '.table tbody tr'],
  ['/settings', '.table .tone-warn'],
  ['/settings/prometheus', '.empty'],
  ['/settings/approvals', '.empty'],
  ['/settings/hooks', '.empty'],
  ['/settings/subscriptions', '.table .tone-bad'],
  ['/certificates', '.table tbody tr'],
  ['/tokens', '.table tbody tr'],
  ['/events', '.event'],
  ['/nowhere/at/all', '.empty'],
]

/** By a fresh load, or as following a link does it. */
async function go(page: Page, path: string, fresh: boolean): Promise<void> {
  if (fresh) return void (await page.goto(console_.mock.url + path))
  await page.evaluate((to) => {
    history.pushState(null, '', to)
    dispatchEvent(new PopStateEvent('popstate'))
  }, path)
}

describe.each([
  [1280, 'en-US', 'light'],
  [390, 'en-US', 'dark'],
  [1280, 'zh-CN', 'dark'],
  [390, 'zh-CN', 'light'],
] as const)('%d pixels, %s, %s', (width, locale, colorScheme) => {
  it('every page shows what it is about, without overflow or complaint', async () => {
    const page = await console_.enter('/apps', { width, locale, colorScheme })
    console_.complaints.length = 0
    for (const [path, selector] of pages) {
      await go(page, path, locale === 'en-US' && width === 1280)
      await page.locator(selector).first().waitFor()
      await expect.poll(() => overflow(page), { message: path }).toBeLessThanOrEqual(0)
      await expect.poll(() => page.title(), { message: path }).toMatch(/ · Berth$/)
      await expect.poll(() => page.locator('h1').count(), { message: path }).toBe(1)
    }
    // Pages of what is gone or not set are told so by the server, which browsers report.
    expect(console_.complaints.filter((each) => !each.includes('404'))).toEqual([])
    expect(await page.locator('html').getAttribute('lang')).toBe(locale === 'zh-CN' ? 'zh-CN' : 'en')
  }, 300_000)
})

it('dialogs fit narrow screens', async () => {
  const page = await console_.enter('/apps/shop/production', { width: 390 })
  await page.locator('[data-deploy]').click()
  await page.locator('dialog button[type=submit]').click()
  await page.locator('.diff').waitFor()
  await expect.poll(() => overflow(page)).toBeLessThanOrEqual(0)
  const box = await page.locator('dialog').boundingBox()
  expect(box?.x).toBeGreaterThanOrEqual(0)
  expect((box?.x ?? 0) + (box?.width ?? 999)).toBeLessThanOrEqual(390)
})

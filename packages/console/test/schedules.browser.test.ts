import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { ConsoleUnderTest } from './console-under-test.ts'

let console_: ConsoleUnderTest
beforeAll(async () => {
  console_ = await ConsoleUnderTest.start()
})
afterEach(() => console_.closePages())
afterAll(() => console_[Symbol.asyncDispose]())

describe('jobs by the clock', () => {
  it('of all apps are listed, what is due next first, with what became of the last runs', async () => {
    // Told in whole minutes, which are fewer when a browser takes long to start.
    const cron = console_.mock.store.all('listCrons').find(({ cron }) => cron === '*/30 * * * *')
    if (cron === undefined) throw new Error('the mock has no job of every half hour')
    console_.mock.store.put('listCrons', { ...cron, nextAt: Date.now() + 4 * 60_000 })
    const page = await console_.enter('/schedules')
    const rows = page.getByRole('table', { name: 'Jobs by the clock' }).getByRole('row')
    await rows.nth(1).getByText('*/30 * * * *').waitFor()
    await rows.nth(1).getByText('in 3 minutes').waitFor()
    await expect.poll(() => rows.nth(1).getByRole('list').getByRole('listitem').count()).toBe(3)
    await rows.nth(3).getByText('reindex').waitFor()
    await page.getByLabel('Filter by app or job').fill('shop')
    await expect.poll(() => rows.count()).toBe(2)
  })

  it('show each run with its output, and run besides when they are told to', async () => {
    const page = await console_.enter('/schedules')
    await page.getByRole('link', { name: 'settle', exact: true }).click()
    await page.getByText('it is stopped for this one').waitFor()
    const runs = page.locator('.run-row')
    await runs.nth(0).getByText('exited with code 1 after 6.2 s').waitFor()
    await runs.nth(2).getByText('no server was up').waitFor()
    await runs.nth(0).getByRole('button', { name: 'Output' }).click()
    await runs.nth(0).getByText('5000 rows moved').first().waitFor()
    await page.getByRole('button', { name: 'Run now settle' }).click()
    await expect.poll(() => runs.count()).toBe(4)
    await runs.nth(0).getByText('by dev').waitFor()
  })

  it('that failed need attention, and lead there', async () => {
    const cron = console_.mock.store.get('listCrons', 'ledger/production/settle')
    if (cron !== undefined) console_.mock.store.put('listCrons', { ...cron, runs: cron.runs.slice(-3) })
    const page = await console_.enter('/apps')
    await page.getByText('the last run of settle failed').waitFor()
    await page
      .getByRole('listitem')
      .filter({ hasText: 'settle failed' })
      .getByRole('link', { name: /^See why/ })
      .click()
    await page.waitForURL('**/schedules/ledger/production/settle')
  })

  it('are run by nobody who may not', async () => {
    const page = await console_.enter('/schedules', { token: 'berth_viewer_token' })
    await page.getByRole('link', { name: 'settle', exact: true }).waitFor()
    expect(await page.getByRole('main').getByRole('button').count()).toBe(0)
  })
})

describe('why an instance waits', () => {
  const why = /1 tainted \(mast-1, dedicated=search\)/

  it('is said among what needs attention, in its environment, and on its own page', async () => {
    const page = await console_.enter('/apps')
    await page.getByRole('listitem').filter({ hasText: 'video/production' }).getByText(why).waitFor()
    await page.getByRole('link', { name: 'Look: video/production' }).click()
    const diagnosis = page.getByRole('region', { name: 'What is wrong' })
    await diagnosis.getByText(why).waitFor()
    await page.getByRole('table').first().getByText(why).waitFor()
    await page.getByRole('region', { name: 'transcode' }).getByText('No more fit').waitFor()
    await diagnosis.getByRole('link', { name: 'transcode-7' }).click()
    await page.waitForURL('**/instances/video.production.transcode-7')
    await page.getByRole('region', { name: 'What is wrong' }).getByText(why).waitFor()
    await page.getByRole('link', { name: 'Plan and capacity' }).click()
    await page.waitForURL('**/apps/video/production/plan')
    await page.getByRole('row').filter({ hasText: 'transcode' }).getByText(why).waitFor()
  })

  it('is said while its environment is rolled out, too', async () => {
    console_.mock.simulation.held = true
    const app = console_.mock.store.get('listApps', 'video')
    const pool = app?.pools[0]
    if (pool === undefined) throw new Error('the mock has no video/production')
    console_.mock.simulation.rollout(pool, 'v9', 'restart')
    const page = await console_.enter('/apps')
    const line = page.getByRole('region', { name: 'Rolling out now' }).getByRole('listitem')
    await line.getByText(why).waitFor()
    await page.goto(`${console_.mock.url}/apps/video/production`)
    await page.getByRole('region', { name: 'What is wrong' }).getByText(why).waitFor()
    console_.mock.simulation.held = false
  })
})

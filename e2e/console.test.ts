import { type Browser, chromium, type Page } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { chromiumArguments, chromiumPath } from '../packages/console/dev/chromium.ts'
import { webApp } from './support/apps.ts'
import { Cluster } from './support/cluster.ts'
import { until } from './support/load.ts'

let cluster: Cluster
let browser: Browser
let page: Page
const errors: string[] = []

beforeAll(async () => {
  cluster = await Cluster.start()
  const shop = await cluster.repository('shop', webApp({ replicas: 2 }))
  await cluster.mustBerth(['deploy'], { cwd: shop.path })
  browser = await chromium.launch({ executablePath: chromiumPath(), args: chromiumArguments })
  const context = await browser.newContext({ ignoreHTTPSErrors: true, viewport: { width: 1280, height: 800 } })
  page = await context.newPage()
  page.on('pageerror', (error) => errors.push(error.message))
})
afterAll(async () => {
  await browser?.close()
  await cluster?.[Symbol.asyncDispose]()
})

const address = (path: string): string => `https://${cluster.first.address}:7600${path}`
const text = async (): Promise<string> => (await page.textContent('body')) ?? ''
const shows = (what: string): Promise<true> =>
  until(`the page to show ${what}`, async () => (await text()).includes(what) && (true as const), 30_000)

describe('the console on a real server', () => {
  it('lets nobody in without a token', async () => {
    await page.goto(address('/apps'))
    await until('the login page', () => page.url().includes('/login'))
  })

  it('takes the token from the address that quickstart prints, and out of it', async () => {
    const token = (await cluster.mustBerth(['token', 'create', 'browser', '--role', 'admin'])).stdout.trim()
    await page.goto(address(`/login#token=${token}`))
    await shows('shop')
    expect(page.url()).not.toContain(token)
  })

  it('shows the app, its instances and their logs', async () => {
    await page.goto(address('/apps/shop/production'))
    await shows('web-1')
    await shows('web-2')
    await page.goto(address('/instances/shop.production.web-1/logs'))
    await shows('version 1 listens')
  })

  it('shows usage as a chart', async () => {
    await page.goto(address('/instances/shop.production.web-1/metrics'))
    await page.waitForSelector('canvas', { timeout: 30_000 })
  })

  it('has a terminal in a container', async () => {
    await page.goto(address('/instances/shop.production.web-1/terminal'))
    await page.waitForSelector('.xterm', { timeout: 30_000 })
    await page.click('.xterm')
    await until(
      'the answer of the shell',
      async () => {
        await page.keyboard.type('echo in-$BERTH_APP\n')
        await page.waitForTimeout(500)
        return (await page.textContent('.xterm-rows, .xterm'))?.includes('in-shop')
      },
      30_000,
    )
  })

  it('follows what happens without being asked to', async () => {
    await page.goto(address('/apps/shop/production'))
    await shows('web-2')
    await cluster.mustBerth(['scale', 'shop/web', '3'])
    await shows('web-3')
    expect(errors).toEqual([])
  })
})

import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { type Browser, chromium, type Page } from 'playwright-core'
import { chromiumArguments } from './chromium.ts'
import { MockServer, mockToken } from './mock-server.ts'

/** `node packages/console/dev/screenshots.ts FOLDER [NAME…]`: every page in both widths, themes and languages, to be looked at. */
const [folder = '/tmp/console-screenshots', ...only] = process.argv.slice(2)

const pages: Readonly<Record<string, string>> = {
  apps: '/apps',
  app: '/apps/shop',
  releases: '/apps/shop/-/releases',
  builds: '/apps/shop/-/builds',
  secrets: '/apps/shop/-/secrets',
  pool: '/apps/shop/production',
  degraded: '/apps/ledger/production',
  logs: '/apps/shop/production/logs',
  metrics: '/apps/shop/production/metrics',
  history: '/apps/shop/production/history',
  instance: '/instances/ledger.production.api-2',
  terminal: '/instances/shop.production.web-1/terminal',
  rollout: '/rollouts/r-p7m2c4wd',
  build: '/builds/b-6tq8h3ns',
  release: '/apps/shop/-/releases/v14',
  activity: '/activity',
  nodes: '/nodes',
  node: '/nodes/anchor-2',
  routes: '/routes',
  events: '/events',
  missing: '/nowhere/at/all',
}

const actions: Readonly<Record<string, (page: Page) => Promise<void>>> = {
  live: async (page) => {
    await page.goto(new URL('/apps/shop/production/history', page.url()).href)
    await page.getByRole('button', { name: /v13/ }).click()
    await page.locator('dialog button[type=submit]').click()
    await page.goto(new URL('/apps/shop/production', page.url()).href)
    await page.waitForTimeout(3_000)
  },
  deploy: async (page) => {
    await page.goto(new URL('/apps/shop/production', page.url()).href)
    await page.locator('[data-deploy]').click()
  },
  plan: async (page) => {
    await page.goto(new URL('/apps/shop/production', page.url()).href)
    await page.locator('[data-deploy]').click()
    await page.locator('dialog button[type=submit]').click()
    await page.locator('.diff').waitFor()
  },
  scale: async (page) => {
    await page.goto(new URL('/apps/shop/production', page.url()).href)
    await page.locator('.scale button').first().click()
  },
  search: async (page) => {
    await page.keyboard.press('/')
    await page.keyboard.type('web')
    await page.waitForTimeout(300)
  },
  help: (page) => page.keyboard.press('?'),
  menu: (page) => page.locator('.menu > button').click(),
}

async function shoot(
  browser: Browser,
  url: string,
  width: number,
  colorScheme: 'light' | 'dark',
  language: 'en' | 'zh',
): Promise<void> {
  const context = await browser.newContext({
    viewport: { width, height: width < 500 ? 812 : 860 },
    colorScheme,
    locale: language === 'zh' ? 'zh-CN' : 'en-US',
    deviceScaleFactor: 1,
  })
  const page = await context.newPage()
  const shot = async (name: string) =>
    page.screenshot({ path: join(folder, `${name}-${width}-${colorScheme}-${language}.png`) })
  await page.goto(`${url}/login`)
  if (only.length === 0 || only.includes('login')) await shot('login')
  await page.goto(`${url}/login#token=${mockToken}`)
  await page.locator('.page').waitFor()
  for (const [name, path] of Object.entries(pages)) {
    if (only.length > 0 && !only.includes(name)) continue
    await page.goto(url + path)
    await page.locator('.page').waitFor()
    await page.waitForTimeout(name === 'metrics' || name === 'node' || name === 'terminal' ? 900 : 350)
    await shot(name)
  }
  for (const [name, act] of Object.entries(actions)) {
    if (only.length > 0 && !only.includes(name)) continue
    await page.goto(`${url}/apps`)
    await page.locator('.card').first().waitFor()
    await act(page)
    await page.waitForTimeout(300)
    await shot(name)
  }
  await context.close()
}

await mkdir(folder, { recursive: true })
const browser = await chromium.launch({ executablePath: '/usr/bin/chromium', args: chromiumArguments })
try {
  for (const [width, scheme, language] of [
    [1280, 'light', 'en'],
    [375, 'light', 'en'],
    [1280, 'dark', 'en'],
    [375, 'dark', 'zh'],
    [1280, 'light', 'zh'],
  ] as const) {
    await using mock = await MockServer.start({ dist: join(import.meta.dirname, '../dist') })
    await shoot(browser, mock.url, width, scheme, language)
  }
} finally {
  await browser.close()
}

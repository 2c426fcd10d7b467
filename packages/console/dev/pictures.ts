import { join } from 'node:path'
import { chromium, type Page } from 'playwright-core'
import { chromiumArguments, chromiumPath } from './chromium.ts'
import { MockServer, mockToken } from './mock-server.ts'

/** `node packages/console/dev/pictures.ts [FOLDER [NAME…]]`: the pictures of the guide, of the built console with mock data. */
const [folder = join(import.meta.dirname, '../../../docs/images'), ...only] = process.argv.slice(2)

interface Picture {
  readonly path: string
  readonly shows: string
  readonly height: number
  readonly phone?: true
  readonly act?: (page: Page) => Promise<void>
}

const rollBack = async (page: Page): Promise<void> => {
  await page.getByRole('button', { name: 'Roll back to v13' }).click()
  await page.locator('dialog button[type=submit]').click()
  await page.locator('.toast .icon-button').click()
  await page.getByRole('link', { name: 'Overview' }).click()
  await page.locator('.progress .segment-ok').first().waitFor()
}

const pictures: Readonly<Record<string, Picture>> = {
  'console-overview': { path: '/apps', shows: '.row-detail', height: 900 },
  'console-instance': {
    path: '/instances/ledger.production.api-2',
    shows: '.usage, .meters .meter-value',
    height: 860,
  },
  'console-jobs': { path: '/apps/shop/production/jobs', shows: '.table tbody tr', height: 560 },
  'console-plan': {
    path: '/apps/shop/staging',
    shows: '.usage',
    height: 640,
    act: async (page) => {
      await page.locator('[data-deploy]').click()
      await page.locator('dialog button[type=submit]').click()
      await page.locator('.diff').waitFor()
    },
  },
  'console-what-if': {
    path: '/apps/search/production/plan?replicas=query=90&with=2xc64m256@fast&without=mast-2',
    shows: '.placement .chip',
    height: 1000,
  },
  'console-cores': {
    path: '/nodes/mast-1',
    shows: '.core .part',
    height: 660,
    act: async (page) => {
      await page.locator('.section:has(.cores)').evaluate((each) => scrollBy(0, each.getBoundingClientRect().top - 70))
      await page.locator('.core').nth(34).locator('.part').first().hover()
    },
  },
  'console-topology': { path: '/routes/topology', shows: '.topology [data-rate]', height: 790 },
  'console-phone': { path: '/apps', shows: '.row-detail', height: 844, phone: true },
  'console-rollout': { path: '/apps/shop/production/history', shows: '.table .button', height: 760, act: rollBack },
}

const browser = await chromium.launch({ executablePath: chromiumPath(), args: chromiumArguments })
try {
  await using mock = await MockServer.start({ dist: join(import.meta.dirname, '../dist'), stepMs: 1_500 })
  for (const [name, { path, shows, height, phone, act }] of Object.entries(pictures)) {
    if (only.length > 0 && !only.includes(name)) continue
    const context = await browser.newContext({
      viewport: { width: phone ? 390 : 1280, height },
      locale: phone ? 'zh-CN' : 'en-US',
      colorScheme: phone ? 'dark' : 'light',
      deviceScaleFactor: phone ? 2 : 1.5,
    })
    const page = await context.newPage()
    await page.goto(`${mock.url}/login?next=${encodeURIComponent(path)}#token=${mockToken}`)
    await page.locator(shows).first().waitFor()
    await act?.(page)
    // Transitions and the first samples.
    await page.waitForTimeout(700)
    await page.screenshot({ path: join(folder, `${name}.png`) })
    await context.close()
  }
} finally {
  await browser.close()
}

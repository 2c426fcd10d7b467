import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { type Browser, chromium, type Page } from 'playwright-core'
import { chromiumArguments, chromiumPath } from './chromium.ts'
import { MockServer, mockToken } from './mock-server.ts'

/** `node packages/console/dev/screenshots.ts FOLDER [NAME…]`: every page in both widths, themes and languages, to be looked at. */
const [folder = '/tmp/console-screenshots', ...only] = process.argv.slice(2)

const pages: Readonly<Record<string, string>> = {
  apps: '/apps',
  app: '/apps/shop',
  releases: '/apps/shop/-/releases',
  builds: '/apps/shop/-/builds',
  secrets: '/apps/shop/-/secrets',
  'app-settings': '/apps/shop/-/settings',
  undeployed: '/apps/newsletter',
  'long-names': '/apps/customer-notifications-gateway/production-frankfurt',
  pool: '/apps/shop/production',
  degraded: '/apps/ledger/production',
  logs: '/apps/shop/production/logs',
  metrics: '/apps/shop/production/metrics',
  plan: '/apps/search/production/plan?replicas=query=90&with=2xc64m256@fast&without=mast-2',
  'plan-short': '/apps/search/production/plan?replicas=query=300',
  'plan-release': '/apps/shop/production/plan?release=v13',
  history: '/apps/shop/production/history',
  jobs: '/apps/shop/production/jobs',
  'pool-settings': '/apps/shop/production/settings',
  'pool-events': '/apps/shop/production/events',
  healthy: '/instances/shop.production.web-1',
  job: '/instances/shop.production.migrate-2',
  instance: '/instances/ledger.production.api-2',
  terminal: '/instances/shop.production.web-1/terminal',
  rollout: '/rollouts/r-p7m2c4wd',
  'rollout-stages': '/rollouts/r-stages22',
  begin: '/apps/shop/staging/deploy',
  compare: '/apps/shop/-/compare?from=v12&to=v14',
  build: '/builds/b-6tq8h3ns',
  release: '/apps/shop/-/releases/v14',
  activity: '/activity',
  schedules: '/schedules',
  schedule: '/schedules/ledger/production/settle',
  nodes: '/nodes',
  node: '/nodes/anchor-2',
  'node-shared': '/nodes/anchor-1',
  'node-64': '/nodes/mast-1',
  'node-256': '/nodes/mast-2',
  'node-table': '/nodes/anchor-2?cores=table',
  advice: '/advice',
  groups: '/groups',
  group: '/groups/fast',
  network: '/network',
  'network-flows': '/network/flows',
  'network-drops': '/network/drops',
  'network-addresses': '/network/addresses',
  'network-profiles': '/network/profiles',
  'network-profile': '/network/profiles/db',
  'network-services': '/network/services',
  'network-domains': '/network/domains',
  'network-lans': '/network/lans',
  'network-failover': '/network/failover',
  'network-nodes': '/network/nodes',
  published: '/instances/search.production.query-1',
  routes: '/routes',
  topology: '/routes/topology',
  'topology-table': '/routes/topology?show=table',
  maintenance: '/routes/maintenance',
  freezes: '/settings',
  prometheus: '/settings/prometheus',
  subscriptions: '/settings/subscriptions',
  pipeline: '/apps/shop/-/pipeline',
  certificates: '/certificates',
  tokens: '/tokens',
  events: '/events',
  missing: '/nowhere/at/all',
}

const at = (page: Page, path: string) => page.goto(new URL(path, page.url()).href)

const actions: Readonly<Record<string, (page: Page) => Promise<void>>> = {
  'new-app': (page) => page.locator('.page-actions .button').first().click(),
  'add-certificate': async (page) => {
    await at(page, '/certificates')
    await page.locator('.page-actions .button').click()
  },
  'remove-certificate': async (page) => {
    await at(page, '/certificates')
    await page.locator('.table .button-danger').first().click()
  },
  'new-token': async (page) => {
    await at(page, '/tokens')
    await page.locator('.page-actions .button').click()
  },
  'token-made': async (page) => {
    await at(page, '/tokens')
    await page.locator('.page-actions .button').click()
    await page.locator('dialog input.mono').fill(`robot-${Date.now() % 1000}`)
    await page.locator('dialog button[type=submit]').click()
    await page.locator('dialog .copy').first().waitFor()
  },
  run: async (page) => {
    await at(page, '/apps/shop/production/jobs')
    await page.locator('.section-aside .button-primary').click()
    await page.locator('dialog select').first().selectOption('web')
    await page.locator('dialog input.mono').fill("node scripts/fix.js 'a b'")
  },
  'remove-app': async (page) => {
    await at(page, '/apps/shop/-/settings')
    await page.locator('.danger-zone .button').click()
    await page.waitForTimeout(300)
  },
  'remove-environment': async (page) => {
    await at(page, '/apps/shop/production/settings')
    await page.locator('.danger-zone .button').click()
  },
  labels: async (page) => {
    await at(page, '/nodes/anchor-1')
    await page.locator('.placing-row button').nth(2).click()
  },
  'new-group': async (page) => {
    await at(page, '/groups')
    await page.locator('.page-actions .button').click()
  },
  speed: async (page) => {
    await at(page, '/nodes/mast-2')
    await page.locator('.placing-row button').nth(1).click()
  },
  move: async (page) => {
    await at(page, '/apps/search/production/settings')
    await page.locator('.section-aside button').click()
  },
  'remove-node': async (page) => {
    await at(page, '/nodes/anchor-1')
    await page.locator('.danger-zone .button').click()
  },
  join: async (page) => {
    await at(page, '/nodes')
    await page.locator('.page-actions .button-primary').click()
    await page.locator('dialog button[type=submit]').click()
    await page.locator('dialog .copy').waitFor()
  },
  more: async (page) => {
    const more = page.locator('.navigation-button')
    if (await more.isVisible()) await more.click()
  },
  lost: async (page) => {
    await page.route('**/v1/**', (route) => route.abort())
    await at(page, '/nodes')
    await page.waitForTimeout(500)
  },
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
  'deploy-plan': async (page) => {
    await page.goto(new URL('/apps/shop/production', page.url()).href)
    await page.locator('[data-deploy]').click()
    await page.locator('dialog button[type=submit]').click()
    await page.locator('.diff').waitFor()
  },
  scale: async (page) => {
    await page.goto(new URL('/apps/shop/production', page.url()).href)
    await page.locator('.scale button').first().click()
  },
  resize: async (page) => {
    await at(page, '/apps/search/production')
    await page.locator('.scale .button').nth(1).click()
    await page.locator('dialog input').first().fill('60')
    await page.locator('dialog button[type=submit]').click()
    await page.locator('.resize-effects').waitFor()
  },
  explain: async (page) => {
    await at(page, '/network')
    await page.locator('.matrix-cell:has(.verdict-some)').first().click()
    await page.locator('.explanation').waitFor()
  },
  'profile-plan': async (page) => {
    await at(page, '/network/profiles/db')
    await page.locator('.page-actions .button').click()
    await page.locator('dialog textarea').fill('name: db\ninbound: []\n')
    await page.locator('dialog button[type=submit]').click()
    await page.locator('dialog .plan').waitFor()
  },
  'external-new': async (page) => {
    await at(page, '/network/services')
    await page.locator('.list-bar .button-primary').click()
  },
  'domain-new': async (page) => {
    await at(page, '/network/domains')
    await page.locator('.list-bar .button-primary').click()
  },
  publish: async (page) => {
    await at(page, '/instances/search.production.query-1')
    await page.locator('.published + .button').click()
  },
  search: async (page) => {
    await page.keyboard.press('/')
    await page.keyboard.type('web')
    await page.waitForTimeout(300)
  },
  help: (page) => page.keyboard.press('?'),
  menu: (page) => page.locator('.menu > button').click(),
}

/** Pages whose point is further down. */
const whole = /^(network|plan|group|schedule|advice|nodes)/

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
    page.screenshot({
      path: join(folder, `${name}-${width}-${colorScheme}-${language}.png`),
      fullPage: whole.test(name),
    })
  await page.goto(`${url}/login`)
  await page.locator('.login-box').waitFor()
  if (only.length === 0 || only.includes('login')) await shot('login')
  await page.goto(`${url}/login#token=${mockToken}`)
  await page.locator('.page').waitFor()
  for (const [name, path] of Object.entries(pages)) {
    if (only.length > 0 && !only.includes(name)) continue
    await page.goto(url + path)
    await page.locator('.page').waitFor()
    await page.waitForTimeout(name === 'metrics' || name === 'node' || name === 'terminal' ? 900 : 350)
    if (name.startsWith('node-'))
      await page
        .locator('.cores, .table')
        .first()
        .evaluate((each) => each.scrollIntoView())
    await shot(name)
  }
  for (const [name, act] of Object.entries(actions)) {
    if (only.length > 0 && !only.includes(name)) continue
    await page.goto(`${url}/apps`)
    await page.locator('.app-line').first().waitFor()
    await act(page)
    await page.waitForTimeout(300)
    await shot(name)
    await page.unrouteAll()
  }
  await context.close()
}

/** What somebody sees who may only look, and what everybody sees first. */
async function shootOthers(browser: Browser): Promise<void> {
  await using empty = await MockServer.start({ dist, empty: true })
  const context = await browser.newContext({ viewport: { width: 1280, height: 860 } })
  const page = await context.newPage()
  const shot = async (name: string, url: string) => {
    await page.goto(url)
    await page.locator('.page').waitFor()
    await page.waitForTimeout(300)
    await page.screenshot({ path: join(folder, `${name}-1280-light-en.png`) })
  }
  await page.goto(`${empty.url}/login#token=${mockToken}`)
  await page.locator('.page').waitFor()
  for (const path of ['apps', 'nodes', 'routes', 'certificates', 'tokens', 'activity', 'events'])
    await shot(`empty-${path}`, `${empty.url}/${path}`)
  await using mock = await MockServer.start({ dist })
  await page.goto(`${mock.url}/login#token=berth_viewer_token`)
  await page.locator('.page').waitFor()
  await shot('viewer-apps', `${mock.url}/apps`)
  await shot('viewer-pool', `${mock.url}/apps/shop/production`)
  await shot('viewer-instance', `${mock.url}/instances/ledger.production.api-2`)
  await shot('viewer-tokens', `${mock.url}/tokens`)
  await context.close()
}

const dist = join(import.meta.dirname, '../dist')
await mkdir(folder, { recursive: true })
const browser = await chromium.launch({ executablePath: chromiumPath(), args: chromiumArguments })
try {
  for (const [width, scheme, language] of [
    [1280, 'light', 'en'],
    [390, 'light', 'en'],
    [1280, 'dark', 'en'],
    [390, 'dark', 'zh'],
    [1280, 'light', 'zh'],
  ] as const) {
    await using mock = await MockServer.start({ dist })
    await shoot(browser, mock.url, width, scheme, language)
  }
  if (only.length === 0 || only.includes('others')) await shootOthers(browser)
} finally {
  await browser.close()
}

import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { type BrowserContextOptions, chromium, type Page } from 'playwright-core'
import type { RolloutView } from '../../packages/api/src/index.ts'
import { chromiumArguments, chromiumPath } from '../../packages/console/dev/chromium.ts'
import { webSource } from '../support/apps.ts'
import { Cluster } from '../support/cluster.ts'
import { startLoad, until } from '../support/load.ts'

/**
 * `node e2e/pictures/releases.ts [FOLDER]`: the pictures of docs/guides/releases.md, taken while the guide is followed in a browser: two machines
 * with real containers behind a real gateway, under requests.
 */
const folder = process.argv[2] ?? join(import.meta.dirname, '../../docs/images')

const stages = `  stages:
    - name: canary
      instances: 1
      traffic: 10%
      gates: [{health: 20s}, {errors: 1%, over: 20s}, {lost: 0, over: 20s}, person]
    - instances: 50%
      gates: [{health: 10s}]
`
const appOf = (version: string, source = webSource(version), more = ''): Record<string, string> => ({
  'server.js': source,
  'berth.yaml': `app: shop
build: {base: berth/node:local}
entrypoints:
  web:
    command: node server.js
    cpu: 0.1
    memory: 64Mi
    replicas: 6
    ports: [8080]
    env: {CURRENCY: ${version === '1' ? 'EUR' : 'CNY'}}
${more}routes: [shop.test]
rollout:
${stages}`,
})

/** Starts, and ends a moment later with what a program says that misses something. */
const broken = `console.log('reads the prices')
setTimeout(() => { console.error('Error: STOCK_URL is not set'); process.exit(1) }, 1500)
`

const browser = await chromium.launch({ executablePath: chromiumPath(), args: chromiumArguments })
await using cluster = await Cluster.start({ hosts: 2 })
try {
  const second = cluster.lab.hosts[1]
  if (second === undefined) throw new Error('the lab has one host')
  await cluster.join(second)
  await cluster.untilOnline(2)
  const shop = await cluster.repository('shop', appOf('1'))
  await shop.commit({ ...appOf('1'), 'README.md': 'A shop.\n' }, 'A shop')
  await cluster.mustBerth(['deploy'], { cwd: shop.path })
  const token = (await cluster.mustBerth(['token', 'create', 'mai', '--role', 'admin'])).stdout.trim()

  const enter = async (path: string, options: BrowserContextOptions = {}): Promise<Page> => {
    const size = { viewport: { width: 1280, height: 900 }, locale: 'en-US', colorScheme: 'light' as const }
    const context = await browser.newContext({ ignoreHTTPSErrors: true, ...size, ...options })
    const page = await context.newPage()
    page.on('pageerror', (error) => process.stderr.write(`${error.message}\n`))
    const place = `/login?next=${encodeURIComponent(path)}#token=${token}`
    await page.goto(`https://${cluster.first.address}:7600${place}`)
    await page.locator('.page').waitFor()
    return page
  }
  const take = async (page: Page, name: string, height = 900): Promise<void> => {
    const { width = 1280 } = page.viewportSize() ?? {}
    if (width > 500) await page.setViewportSize({ width, height })
    await page.mouse.move(0, 0)
    for (const close of await page.locator('.toast .icon-button').all()) await close.click().catch(() => undefined)
    await delay(700)
    await page.screenshot({ path: join(folder, `${name}.png`) })
    process.stdout.write(`${name}\n`)
  }
  const latest = async (): Promise<RolloutView> => {
    const [first] = (await cluster.client.list('listRollouts', { query: { app: 'shop', limit: 1 } })).items
    if (first === undefined) throw new Error('no rollout is there')
    return first
  }
  const untilRollout = (what: string, isIt: (rollout: RolloutView) => boolean): Promise<unknown> =>
    until(what, async () => isIt(await latest()), 120_000)
  /** Built and not deployed: a candidate to choose. */
  const candidate = async (files: Record<string, string>, subject: string, release: string): Promise<void> => {
    await shop.commit(files, subject)
    await cluster.mustBerth(['build'], { cwd: shop.path })
    await until(`${release} to be there`, async () =>
      (await cluster.client.list('listReleases', { params: { app: 'shop' } })).items.some(({ id }) => id === release),
    )
  }

  const load = startLoad(`${cluster.gatewayUrl}/`, { host: 'shop.test', connections: 16, maxMs: 900_000 })
  await candidate(appOf('2'), 'Prices in yuan', 'v2')
  await delay(45_000)

  const page = await enter('/apps/shop/production')
  await page.getByRole('link', { name: 'Choose a version' }).click()
  await page.getByLabel('Another branch, tag or commit').fill('nonsense')
  await page.getByRole('button', { name: 'Take it' }).click()
  process.stdout.write(`${await page.getByRole('alert').textContent()}\n`)
  const [from, end] = [-60_000, 3_600_000].map((ms) => new Date(Date.now() + ms).toISOString())
  const during = ['--from', `${from}`, '--until', `${end}`]
  await cluster.mustBerth(['freeze', 'add', 'stocktaking', ...during, '--reason', 'the stock is being counted'])
  await page.locator('.version-choice').first().click()
  await page.getByText('Deploys are frozen: say why it goes on all the same.').waitFor({ timeout: 60_000 })
  await take(page, 'release-frozen', 1400)
  await cluster.mustBerth(['freeze', 'rm', 'stocktaking'])
  await page.reload()
  await page.locator('.stage').first().waitFor()
  await take(page, 'release-begin', 1210)
  await page.keyboard.press('d')
  await page.waitForURL('**/rollouts/**')
  const rollout = page.url()
  await untilRollout('a person alone to be waited for', ({ stages: [canary] = [] }) => {
    return (
      canary?.gates.every(({ type, verdict }) => (type === 'person' ? verdict === 'waiting' : verdict === 'passed')) ===
      true
    )
  })
  await delay(10_000)
  await take(page, 'release-canary', 1150)

  await page.keyboard.press('c')
  await untilRollout('the second stage', ({ stages: all }) => all?.[1]?.startedAt !== undefined)
  await page.keyboard.press('p')
  await untilRollout('the pause', ({ state }) => state === 'paused')
  const phone = await enter(new URL(rollout).pathname, {
    ...{ viewport: { width: 390, height: 844 }, locale: 'zh-CN', colorScheme: 'dark' },
  })
  await phone.locator('.cell').first().waitFor()
  await take(phone, 'release-phone')
  await phone.context().close()
  await page.keyboard.press('p')
  await untilRollout('its end', ({ endedAt }) => endedAt !== undefined)
  await page.locator('.receipt-figures').waitFor()
  await page.locator('.rollout-charts canvas').nth(2).waitFor()
  await page.setViewportSize({ width: 1280, height: 900 })
  await delay(1_000)
  await page.locator('.section:has(> .panel > .receipt)').evaluate((each) => each.scrollIntoView({ block: 'end' }))
  await take(page, 'release-receipt')

  await candidate(appOf('3', broken), 'Stock of the day', 'v3')
  await page.goto(`https://${cluster.first.address}:7600/apps/shop/production/deploy?release=v3`)
  await page.getByRole('button', { name: 'Deploy v3 to production' }).click()
  await page.waitForURL('**/rollouts/**')
  await page.locator('.failing .log-tail', { hasText: 'STOCK_URL' }).waitFor()
  await take(page, 'release-failing', 1020)
  await untilRollout('its end', ({ endedAt }) => endedAt !== undefined)
  await page.goto(`https://${cluster.first.address}:7600/apps/shop/-/compare?from=v1&to=v2`)
  await page.locator('.diff').first().waitFor()
  await take(page, 'release-compare', 810)
  await page.goto(`https://${cluster.first.address}:7600/apps/shop/production/history`)
  await page.locator('.table').nth(1).waitFor()
  await take(page, 'release-history', 680)
  const { requests, failures } = await load.stop()
  process.stdout.write(`${requests} requests, ${failures.length} failures\n${failures.slice(0, 5).join('\n')}\n`)
} finally {
  await browser.close()
}

import { execFileSync } from 'node:child_process'
import { join } from 'node:path'
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

/** What somebody with another token sees. */
async function enterAs(role: 'viewer' | 'deployer', path: string): Promise<Page> {
  const token = (await cluster.mustBerth(['token', 'create', `a-${role}`, '--role', role])).stdout.trim()
  const context = await browser.newContext({ ignoreHTTPSErrors: true, viewport: { width: 1280, height: 800 } })
  const other = await context.newPage()
  await other.goto(address(`/login?next=${encodeURIComponent(path)}#token=${token}`))
  await other.locator('.page').waitFor()
  return other
}

/** As a program with this token, past the certificate of the cluster's own authority. */
async function fetchStatus(token: string): Promise<{ readonly status: number }> {
  const context = await browser.newContext({ ignoreHTTPSErrors: true })
  try {
    const answer = await context.request.get(address('/v1/status'), { headers: { authorization: `Bearer ${token}` } })
    return { status: answer.status() }
  } finally {
    await context.close()
  }
}

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

  it('runs a command once, and shows its output and its exit code', async () => {
    await page.goto(address('/apps/shop/production/jobs'))
    await page.getByRole('button', { name: 'Run a job' }).click()
    const dialog = page.getByRole('dialog')
    await dialog.getByLabel('Command').fill("sh -c 'echo job of $BERTH_APP; exit 3'")
    await dialog.getByRole('button', { name: 'Run', exact: true }).click()
    await page.waitForURL('**/instances/shop.production.web-*')
    await shows('job of shop')
    await shows('exited with code 3')
    await page.getByRole('link', { name: 'Jobs' }).click()
    await page.getByRole('row').filter({ hasText: 'echo job of' }).getByText('code 3').waitFor()
  })

  it('gives the gateway a certificate, and takes it back', async () => {
    const [key, certificate] = ['key.pem', 'certificate.pem'].map((name) => join(cluster.dir, name))
    const request = ['req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-days', '10', '-subj', '/CN=shop']
    const files = ['-addext', 'subjectAltName=DNS:shop.example.com', '-keyout', `${key}`, '-out', `${certificate}`]
    execFileSync('openssl', [...request, ...files], { stdio: 'ignore' })
    await page.goto(address('/certificates'))
    await page.getByRole('button', { name: 'Add a certificate' }).click()
    await page.getByLabel('Name').fill('shop')
    const inputs = page.locator('dialog input[type=file]')
    await inputs.nth(0).setInputFiles(`${certificate}`)
    await inputs.nth(1).setInputFiles(`${key}`)
    await page.getByRole('button', { name: 'Give to the gateway' }).click()
    await page.getByRole('row').filter({ hasText: 'shop.example.com' }).getByText('in 9 days').waitFor()
    expect((await cluster.mustBerth(['cert', 'ls'])).stdout).toContain('shop.example.com')
    await page.getByRole('button', { name: 'Remove shop' }).click()
    await page.getByRole('dialog').getByRole('button', { name: 'Remove' }).click()
    await until(
      'no certificate',
      async () => !(await cluster.mustBerth(['cert', 'ls'])).stdout.includes('shop.example.com'),
    )
  })

  it('makes a token that works, and revokes it', async () => {
    await page.goto(address('/tokens'))
    await page.getByRole('button', { name: 'Create a token' }).click()
    await page.getByLabel('Name').fill('robot')
    await page.getByRole('button', { name: 'Create', exact: true }).click()
    const token = (await page.locator('dialog code').first().textContent()) ?? ''
    const status = async () => (await fetchStatus(token)).status
    expect(await status()).toBe(200)
    await page.getByRole('button', { name: 'I have kept it' }).click()
    await page.getByRole('button', { name: 'Revoke robot' }).click()
    await page.getByRole('dialog').getByRole('button', { name: 'Revoke' }).click()
    await until('the token to be refused', async () => (await status()) === 401)
  })

  it('labels a node', async () => {
    await page.goto(address('/nodes/h1'))
    await page.getByRole('button', { name: 'Edit labels' }).click()
    const dialog = page.getByRole('dialog')
    await dialog.getByRole('button', { name: 'Another label' }).click()
    await dialog.locator('.label-rows li').last().locator('input').nth(0).fill('disk')
    await dialog.locator('.label-rows li').last().locator('input').nth(1).fill('nvme')
    await dialog.getByRole('button', { name: 'Save' }).click()
    await shows('disk=nvme')
    expect((await cluster.mustBerth(['node', 'ls'])).stdout).toContain('disk=nvme')
  })

  it('keeps secrets to itself', async () => {
    await page.goto(address('/apps/shop/-/secrets'))
    await page.getByRole('button', { name: 'Set a secret' }).click()
    await page.getByLabel('Name').fill('API_KEY')
    await page.getByLabel('Value').fill('hunter-of-secrets')
    await page.getByRole('button', { name: 'Set', exact: true }).click()
    await page.getByRole('cell', { name: 'API_KEY', exact: true }).waitFor()
    expect(await page.content()).not.toContain('hunter-of-secrets')
    expect((await cluster.mustBerth(['secret', 'ls', 'shop'])).stdout).toContain('API_KEY')
  })

  it('offers a viewer nothing to change', async () => {
    const other = await enterAs('viewer', '/apps/shop/production')
    await other.getByRole('link', { name: 'web-1', exact: true }).waitFor()
    for (const name of ['Deploy', 'Restart', 'Scale web'])
      expect(await other.getByRole('button', { name }).count(), name).toBe(0)
    await other.context().close()
  })

  it('follows what happens without being asked to', async () => {
    await page.goto(address('/apps/shop/production'))
    await shows('web-2')
    await cluster.mustBerth(['scale', 'shop/web', '3'])
    // The run of the job above was web-3; numbers are never given twice.
    await shows('web-4')
    expect(errors).toEqual([])
  })

  it('makes a node group, changes its rules, and removes it', async () => {
    await page.goto(address('/groups'))
    await page.getByRole('button', { name: 'Create a group' }).click()
    const form = page.getByRole('dialog', { name: 'Create a group' })
    await form.getByLabel('Name').fill('spare')
    await form.getByLabel('Quota of CPU, in cores').fill('1.5')
    await form.getByRole('button', { name: 'Create' }).click()
    await page.getByRole('link', { name: 'spare', exact: true }).click()
    await shows('0 of 1.5 cores given')
    await page.getByRole('button', { name: 'Change the rules' }).click()
    const rules = page.getByRole('dialog', { name: 'Rules of spare' })
    await rules.getByLabel('Quota of CPU, in cores').fill('')
    await rules.getByLabel('A core may be divided into').selectOption('100')
    await rules.getByRole('button', { name: 'Save' }).click()
    await shows('100 pieces a core')
    expect((await cluster.mustBerth(['group', 'show', 'spare'])).stdout).toContain('"shareBase": 100')
    await page.getByRole('button', { name: 'Remove the group' }).click()
    await page.getByLabel('Type spare to confirm').fill('spare')
    await page.keyboard.press('Enter')
    await page.waitForURL('**/groups')
    expect((await cluster.mustBerth(['group', 'ls'])).stdout).not.toContain('spare')
  })

  it('shows whose each core is, and how busy, and leads to the instance', async () => {
    await page.goto(address('/nodes/h1'))
    await shows('Nobody owns cores here')
    await page.goto(address('/groups/default'))
    await page.getByRole('button', { name: 'Change the rules' }).click()
    await page
      .getByRole('dialog')
      .getByLabel(/^Cores are owned/)
      .check()
    await page.getByRole('dialog').getByRole('button', { name: 'Save' }).click()
    await shows('10 pieces a core')
    await cluster.mustBerth(['restart', 'shop'])
    await page.goto(address('/nodes/h1'))
    const owned = page.getByRole('link', { name: /^Core \d+: shop\.production\.web-\d+, 0\.1 of it, \d+ % busy/ })
    await until('all three to own a tenth of a core', async () => (await owned.count()) === 3, 60_000)
    await owned.first().focus()
    await page.locator('.core-tip').getByText('shop.production.web-').first().waitFor()
    await page.keyboard.press('Enter')
    await page.waitForURL('**/instances/shop.production.web-*')
    await shows('Own cores')
    expect(errors).toEqual([])
  })

  it('plans with nodes that there are not, and says why nothing is done', async () => {
    await page.goto(address('/apps/shop/production/plan?replicas=web=5&with=2xc4m8'))
    await shows('2 to create, 3 unchanged')
    await shows('some of its nodes are imagined')
    await page.goto(address('/apps/shop/production/plan?replicas=web=4'))
    await page.getByRole('button', { name: 'Do exactly this' }).click()
    await page.waitForURL('**/apps/shop/production')
    await shows('/ 4 ready')
    await cluster.mustBerth(['scale', 'shop/web', '3'])
  })

  it('removes an environment once its name is typed', async () => {
    await page.goto(address('/apps/shop/production/settings'))
    await page.getByRole('button', { name: 'Remove production' }).click()
    await page.getByText('web: 3 running instances').waitFor()
    await page.getByLabel('Type production to confirm').fill('production')
    await page.keyboard.press('Enter')
    await shows('No environment runs this app')
    expect((await cluster.mustBerth(['ps', 'shop'])).stdout).not.toContain('web-1')
    expect(errors).toEqual([])
  })
})

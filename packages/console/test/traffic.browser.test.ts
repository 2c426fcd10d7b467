import type { RouteView } from '@berth/api/traffic-resources'
import type { Page } from 'playwright-core'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { ConsoleUnderTest, overflow } from './console-under-test.ts'

let console_: ConsoleUnderTest
beforeAll(async () => {
  console_ = await ConsoleUnderTest.start()
})
afterEach(() => console_.closePages())
afterAll(() => console_[Symbol.asyncDispose]())

const bandOf = (page: Page, name: string) => page.locator('.topology-band').filter({ hasText: name })

const widthsOf = (page: Page, name: string): Promise<number[]> =>
  bandOf(page, name)
    .locator('path.topology-flow')
    .evaluateAll((lines) => lines.map((line) => Number.parseFloat(getComputedStyle(line).strokeWidth)))

const confirm = (page: Page, verb: string) => page.getByRole('dialog').getByRole('button', { name: verb }).click()

describe('the topology', () => {
  it('draws routes, targets and instances with what goes there now, and what is wrong', async () => {
    const page = await console_.enter('/routes/topology', { token: 'berth_viewer_token' })
    await page.getByText('1,113.1 requests a second, 2.5 failed.').waitFor()
    const shop = bandOf(page, 'shop/production/web')
    await shop.getByRole('link', { name: 'shop/production/web' }).waitFor()
    await shop.getByText('987.2/s · 18 ms · 4 of 4 ready').waitFor()
    await shop.getByText('v14', { exact: true }).waitFor()
    await shop.getByText('246.8/s · 18 ms · anchor-2').first().waitFor()
    // A line is wider for more: 493.6 by a route and 246.8 to an instance, 123.4 by the other's.
    await expect.poll(async () => (await widthsOf(page, 'shop/production/web')).length).toBe(6)
    const [route = 0, , instance = 0] = await widthsOf(page, 'shop/production/web')
    expect(route).toBeGreaterThan(instance)
    expect(instance).toBeGreaterThan((await widthsOf(page, 'ledger/production/api'))[0] ?? 99)
    await bandOf(page, 'ledger').getByText('Crashing').waitFor()
    await bandOf(page, 'newsletter').getByText('nobody behind it').waitFor()
    await bandOf(page, 'newsletter').getByText('2.5/s failed').first().waitFor()

    await page.getByLabel('Only with problems').check()
    await expect.poll(() => page.locator('.topology-band').count()).toBe(2)
    await page.getByLabel('Only with problems').uncheck()
    await page.getByLabel('App', { exact: true }).selectOption('shop')
    await page.getByText('There are 3 targets in all.').waitFor()
    expect(new URL(page.url()).search).toBe('?app=shop')

    // What changes is seen at once: the gateway takes a member out.
    const { mock } = console_
    const before = mock.store.get('listRoutes', 'https://shop.example.com/')
    if (before === undefined) throw new Error('the mock has no such route')
    mock.store.put('listRoutes', { ...before, members: before.members.slice(1), maintenance: true })
    await shop.getByText('maintenance page').waitFor()
    await shop.getByText('370.2/s').first().waitFor()
    // A port of the gateways leads to instances too: nothing for a browser to open, and no host.
    const port = { url: 'tcp://gateway.example.com:5432', host: '', path: '' }
    mock.store.put('listRoutes', { ...before, ...port })
    await shop.getByText('tcp://gateway.example.com:5432').waitFor()
    await shop.getByText('connections are not counted').waitFor()
    mock.store.remove('listRoutes', port.url)
    mock.store.put('listRoutes', before)

    await page.getByRole('button', { name: 'Table' }).click()
    await page.getByRole('row').filter({ hasText: 'web-2' }).getByText('anchor-2').waitFor()
  })

  it('is gone through by arrows from one stop of Tab', async () => {
    const page = await console_.enter('/routes/topology')
    await bandOf(page, 'shop/production/web').getByText('anchor-1').first().waitFor()
    expect(await page.locator('.topology [tabindex="0"]').count()).toBe(1)
    const at = () => page.evaluate(() => document.activeElement?.textContent)
    await page.locator('.topology [tabindex="0"]').focus()
    const gone = [await at()]
    for (const key of ['ArrowRight', 'ArrowRight', 'ArrowDown', 'ArrowLeft', 'End']) {
      await page.keyboard.press(key)
      gone.push(await at())
    }
    expect(gone).toEqual(['ledger.example.com', 'ledger/production/api', 'api-1', 'api-2', 'api-1', 'web-4'])
    expect(await page.locator('.topology [tabindex="0"]').count()).toBe(1)
    await page.keyboard.press('Enter')
    await page.waitForURL('**/instances/shop.production.web-4')
  })

  it('stays usable with a thousand routes and ten thousand instances, on a phone too', async () => {
    await using many = await ConsoleUnderTest.start()
    for (let n = 0; n < 1_000; n += 1) many.mock.store.put('listRoutes', manyRoute(n))
    const page = await many.enter('/routes/topology', { width: 390 })
    await page.getByText('1004 routes to 1003 targets with 10006 instances.').waitFor()
    await page.getByText('The first 40 of 1,003 are shown.').waitFor()
    expect(await page.locator('.topology-band').count()).toBe(40)
    expect(await overflow(page)).toBeLessThanOrEqual(0)
    await page.getByRole('button', { name: 'Show more' }).click()
    await expect.poll(() => page.locator('.topology-band').count()).toBe(80)
    await page.getByLabel('Filter by address').fill('h777.')
    const band = bandOf(page, 'big/production/e777')
    await band.getByText('Ready 10').waitFor()
    await expect.poll(() => page.locator('.topology-band').count()).toBe(1)
    await band.getByRole('button', { name: 'Show all' }).click()
    await expect.poll(() => band.getByRole('link', { name: /^e777-\d+$/ }).count()).toBe(10)
    expect(new URL(page.url()).searchParams.get('open')).toBe('big/production/e777')
    expect(await overflow(page)).toBeLessThanOrEqual(0)
    await page.getByLabel('Filter by address').fill('big.production.e5-3')
    await bandOf(page, 'big/production/e5').waitFor()
  })
})

const manyRoute = (n: number): RouteView => ({
  ...{ url: `https://h${n}.example.com/`, host: `h${n}.example.com`, path: '/', tls: 'on' },
  ...{ app: 'big', pool: 'production', entrypoint: `e${n}` },
  members: Array.from({ length: 10 }, (_, i) => {
    return { instance: `big.production.e${n}-${i}`, address: '10.77.9.1', port: 8080, state: 'active' }
  }),
})

it('a host shows the maintenance page with a text of one’s own, and is served again', async () => {
  const page = await console_.enter('/routes/maintenance', { token: 'berth_deployer_token' })
  await page.getByRole('button', { name: 'Change shop.example.com' }).click()
  const dialog = page.getByRole('dialog', { name: 'Maintenance of shop.example.com' })
  await dialog.getByLabel(/^Show the maintenance page/).check()
  await dialog.getByLabel(/^Its page/).fill('<h1>Back at noon</h1>')
  await dialog.getByRole('button', { name: 'Save' }).click()
  const row = page.getByRole('row').filter({ hasText: 'shop.example.com' })
  await row.getByText('the maintenance page').waitFor()
  await row.getByText('its own').waitFor()
  await page.getByRole('link', { name: 'Routes', exact: true }).last().click()
  await page.getByRole('row').filter({ hasText: 'shop.example.com' }).first().getByText('maintenance page').waitFor()
  await page.goto(`${console_.mock.url}/routes/maintenance`)
  await page.getByRole('button', { name: 'Change shop.example.com' }).click()
  await expect.poll(() => dialog.getByLabel(/^Its page/).inputValue()).toBe('<h1>Back at noon</h1>')
  await dialog.getByLabel(/^Show the maintenance page/).uncheck()
  await dialog.getByRole('button', { name: 'Save' }).click()
  await row.getByText('what its routes lead to').waitFor()
})

it('an instance shows what its program has said at its socket', async () => {
  const { store } = console_.mock
  const before = store.get('listInstances', 'shop.production.web-2')
  if (before === undefined) throw new Error('the mock has no such instance')
  const page = await console_.enter('/instances/shop.production.web-2')
  await page.locator('.page-title').getByText('Ready').waitFor()
  const message = 'it says that it is in maintenance: rebuilding its index'
  store.put('listInstances', { ...before, ready: false, inTraffic: false, message })
  const wrong = page.getByRole('region', { name: 'What is wrong' })
  await wrong.getByText('Its program is in maintenance').waitFor()
  await wrong.getByText('rebuilding its index').waitFor()
  store.put('listInstances', before)
  await expect.poll(() => wrong.count()).toBe(0)
})

it('certificates are obtained by themselves once somebody agrees, and say what failed', async () => {
  const page = await console_.enter('/certificates')
  await page.getByRole('button', { name: 'Turn on' }).click()
  const dialog = page.getByRole('dialog', { name: 'Obtain certificates by ACME' })
  const turnOn = dialog.getByRole('button', { name: 'Turn on' })
  await expect.poll(() => turnOn.isDisabled()).toBe(true)
  await dialog.getByLabel(/^I have read/).check()
  await dialog.getByLabel('Directory of the authority').fill('http://acme.example/directory')
  await turnOn.click()
  await dialog.getByRole('alert').getByText('it has to begin with https://').waitFor()
  await dialog.getByLabel('Directory of the authority').fill('https://acme.example/directory')
  await turnOn.click()
  await page.getByText('Authority: https://acme.example/directory').waitFor()
  const row = page.getByRole('row').filter({ hasText: 'the authority got no answer' })
  await row.getByText('failed').waitFor()
  await row.getByText('news.example.com', { exact: true }).waitFor()
  await page.getByRole('button', { name: 'Turn off' }).click()
  await confirm(page, 'Turn off')
  await page.getByText('Certificates are not obtained by themselves').waitFor()
})

it('deploys are frozen once or again and again, and freezes are lifted; gates ask a Prometheus', async () => {
  const page = await console_.enter('/settings', { width: 390 })
  await page.getByRole('row').filter({ hasText: 'audit' }).getByText('frozen, until').waitFor()
  await page.getByRole('button', { name: 'Add a freeze' }).click()
  const dialog = page.getByRole('dialog')
  await dialog.getByLabel('Name').fill('sale')
  await dialog.getByLabel(/^App/).selectOption('shop')
  await dialog.getByLabel(/^From/).fill('2030-11-11T00:00')
  await dialog.getByLabel(/^Until/).fill('2030-11-10T00:00')
  // No field reaches out of the dialog, or over its neighbour.
  const boxes = await Promise.all(
    [dialog, dialog.getByLabel(/^From/), dialog.getByLabel(/^Until/)].map((each) => each.boundingBox()),
  )
  const [around, from, until] = boxes.map((box) => ({ ...box, right: (box?.x ?? 0) + (box?.width ?? 0) }))
  expect(from?.right).toBeLessThan(around?.right ?? 0)
  expect(until?.right).toBeLessThan(around?.right ?? 0)
  expect(until?.y).toBeGreaterThan(from?.y ?? 999)
  const add = dialog.getByRole('button', { name: 'Add a freeze' })
  expect(await add.isDisabled()).toBe(true)
  await dialog.getByLabel(/^Reason/).fill('the great sale')
  await add.click()
  await dialog.getByRole('alert').getByText('it ends before it begins').waitFor()
  await dialog.getByLabel(/^Until/).fill('2030-11-12T00:00')
  await add.click()
  const row = page.getByRole('row').filter({ hasText: 'the great sale' })
  await row.getByText('shop/*').waitFor()
  await row.getByText(/11 Nov 2030.*12 Nov 2030/).waitFor()
  await page.getByRole('button', { name: 'Remove sale' }).click()
  await confirm(page, 'Remove')
  await expect.poll(() => row.count()).toBe(0)

  await page.getByRole('link', { name: 'Prometheus' }).click()
  await page.getByRole('button', { name: 'Set' }).click()
  await dialog.getByLabel(/^Address/).fill('not an address')
  await dialog.getByRole('button', { name: 'Set' }).click()
  await dialog.getByRole('alert').getByText('it is no URL').waitFor()
  await dialog.getByLabel(/^Address/).fill('http://10.0.0.5:9090')
  await dialog.getByRole('button', { name: 'Set' }).click()
  await page.locator('.facts').getByText('http://10.0.0.5:9090').waitFor()
  await page.getByRole('button', { name: 'Remove' }).click()
  await confirm(page, 'Remove')
  await page.getByText('Gates ask no Prometheus').first().waitFor()
})

it('subscriptions are made and changed without their secret ever being shown', async () => {
  const page = await console_.enter('/settings/subscriptions')
  await page.getByRole('row').filter({ hasText: 'redis://' }).getByText('failed 7 times in a row').waitFor()
  await page.getByText('connect ECONNREFUSED').waitFor()
  // All keys of a row are to be seen.
  expect(await page.locator('.panel-flush').evaluate((panel) => panel.scrollWidth - panel.clientWidth)).toBe(0)
  await page.getByRole('button', { name: 'Add a subscription' }).click()
  const dialog = page.getByRole('dialog')
  await dialog.getByLabel('Name').fill('ci')
  await dialog.getByLabel(/^Told to/).fill('ftp://ci.example')
  await dialog.getByLabel(/^Secret/).fill('hush-hush-1')
  await dialog.getByRole('button', { name: 'Save' }).click()
  await dialog.getByRole('alert').getByText('is neither http').waitFor()
  await dialog.getByLabel(/^Told to/).fill('https://ci.example/hook')
  await dialog.getByLabel(/^Events/).fill('rollout.* instance.ready')
  await dialog.getByRole('button', { name: 'Save' }).click()
  const row = page.getByRole('row').filter({ hasText: 'ci.example' })
  await row.getByText('rollout.* instance.ready').waitFor()
  await page.getByRole('button', { name: 'Test lb' }).click()
  await page.getByText('try subscription lb (redis://10.0.0.5:6379/berth)').waitFor()
  await page.getByRole('button', { name: 'Test ci' }).click()
  await page.getByText('ci took a delivery of no events in 12 ms').waitFor()
  await page.getByRole('button', { name: 'Change ci' }).click()
  await dialog.getByText('There is one. Empty: it stays.').waitFor()
  await dialog.getByLabel(/^Told to/).fill('https://ci.example/other')
  await dialog.getByText('The secret belongs to the address before').waitFor()
  await dialog.getByLabel(/^Told to/).fill('https://ci.example/hook')
  expect(await page.content()).not.toContain('hush-hush-1')
  await dialog.getByLabel(/^Take the secret away/).check()
  await dialog.getByRole('button', { name: 'Save' }).click()
  await row.getByText('none').waitFor()
  await page.getByRole('button', { name: 'Remove ci' }).click()
  await confirm(page, 'Remove')
  await expect.poll(() => row.count()).toBe(0)
})

it('a pipeline is made, its webhook’s secret shown once, and a network of the machines made known', async () => {
  const page = await console_.enter('/apps/ledger/-/pipeline')
  await page.getByRole('button', { name: 'Make a pipeline' }).click()
  const dialog = page.getByRole('dialog')
  await dialog.getByLabel(/^Promoted through/).fill('staging → production')
  await dialog.getByLabel(/^Ask the repository/).fill('often')
  await dialog.getByRole('button', { name: 'Save' }).click()
  await dialog.getByRole('alert').getByText('often').waitFor()
  await dialog.getByLabel(/^Ask the repository/).fill('5m')
  await dialog.getByRole('button', { name: 'Save' }).click()
  await page.getByText('every 5 min').waitFor()
  await page.getByRole('button', { name: 'Look now' }).click()
  await page.getByText('Nothing was pushed that is built').waitFor()
  await page.getByRole('button', { name: 'New webhook secret' }).click()
  await dialog.getByText('The secret is shown now and never again.').waitFor()
  await dialog.getByText('hook_7Qd2mX9vT4Lr8Kc1Wf6').waitFor()
  await dialog.getByText(`${console_.mock.url}/hooks/ledger`).waitFor()
  await dialog.getByRole('button', { name: 'I have kept it' }).click()
  await page.locator('.facts').getByText('/hooks/ledger').waitFor()
  expect(await page.content()).not.toContain('hook_7Qd2mX9vT4Lr8Kc1Wf6')
  await page.getByRole('button', { name: 'Forget' }).click()
  await confirm(page, 'Forget')
  await page.getByRole('button', { name: 'Make a pipeline' }).waitFor()

  await page.goto(`${console_.mock.url}/network/lans`)
  await page.getByRole('button', { name: 'Add a network' }).click()
  await dialog.getByLabel('Name').fill('office')
  await dialog.getByLabel(/^Interface/).fill('eth2')
  await dialog.getByLabel(/^Subnet/).fill('192.168.9.0/24')
  await dialog.getByRole('button', { name: 'Save' }).click()
  await page.getByRole('row').filter({ hasText: 'office' }).getByText('macvlan on eth2').waitFor()
})

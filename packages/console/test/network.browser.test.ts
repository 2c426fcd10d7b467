import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { instance } from '../dev/seed-instance.ts'
import { ConsoleUnderTest, overflow } from './console-under-test.ts'

let console_: ConsoleUnderTest
beforeAll(async () => {
  console_ = await ConsoleUnderTest.start()
})
afterEach(() => console_.closePages())
afterAll(() => console_[Symbol.asyncDispose]())

const polling = { timeout: 45_000, interval: 50 }

describe('who may', () => {
  it('is a matrix whose cells are reached by arrows and say who decides', async () => {
    const page = await console_.enter('/network?from=shop/production&to=ledger')
    await page.getByRole('button', { name: /^shop\/production\/web → ledger\/production\/api/ }).focus()
    await page.keyboard.press('ArrowDown')
    await expect
      .poll(() => page.evaluate(() => document.activeElement?.getAttribute('aria-label')), polling)
      .toContain('worker → ledger')
    await page.keyboard.press('Enter')
    const dialog = page.getByRole('dialog', { name: 'Who decides' })
    await dialog.getByText('It passes').waitFor()
    await dialog.getByText('inbound rule 2 of profile db allows it: tcp:3306 from db-users').waitFor()
    await dialog.getByLabel('Port').fill('22')
    await dialog.getByRole('button', { name: 'Ask', exact: true }).click()
    await dialog.getByText('It is dropped').waitFor()
  })

  it('says in the same cells who does, and a row of it in words', async () => {
    const page = await console_.enter('/network')
    const cell = (from: string, to: string) =>
      page.getByRole('button', { name: new RegExp(`^${from}/production/\\S+ → ${to}.*connections? now`) })
    await cell('shop', 'search/production/query')
      .and(page.getByLabel(/48 connections now$/))
      .waitFor()
    await cell('shop', 'ledger/production/api')
      .and(page.getByLabel(/3 connections now, rules would drop 3/))
      .waitFor()
    await page.getByText('214 connections of nodes themselves are not in the table.').waitFor()
    await page.getByText('1 node did not answer').waitFor()
    const rows = page.locator('.matrix tbody')
    await rows.getByRole('button', { name: 'shop/production/web', exact: true }).focus()
    await page.keyboard.press('Enter')
    const lines = page.getByRole('list').filter({ has: page.locator('.party-line') })
    await lines.getByRole('button').first().getByText('search/production/query').waitFor()
    await lines.getByText('3 connections now, rules would drop 3').waitFor()
    await page.getByLabel('With connections').uncheck()
    await expect.poll(() => page.locator('.matrix-live').count(), polling).toBe(0)
    await lines.getByRole('button', { name: /^shop\/production\/worker/ }).click()
    await page.getByRole('dialog', { name: 'Who decides' }).waitFor()
  })

  it('tells a part of many, and more of it when asked', async () => {
    for (let n = 0; n < 90; n++)
      console_.mock.store.put(
        'listInstances',
        instance(`many-${String(n).padStart(2, '0')}`, 'production', 'web', 1, Date.now()),
      )
    const page = await console_.enter('/network?from=many')
    await page.getByText('Senders: 1 to 40 of 90').waitFor()
    await expect.poll(() => page.locator('.matrix tbody tr').count(), polling).toBe(40)
    await page.getByRole('button', { name: 'Next' }).first().click()
    await page.getByText('Senders: 41 to 80 of 90').waitFor()
    await page.getByRole('searchbox', { name: 'Receivers' }).fill('nobody-here')
    await page.getByText('Nobody with an address has such a name').waitFor()
  })
})

describe('who does', () => {
  it('is drawn, said in a table, and says how old it is and what is missing', async () => {
    const page = await console_.enter('/network/flows')
    const table = page.getByRole('table', { name: 'Connections' })
    const dropped = table.getByRole('row').filter({ hasText: 'no inbound rule of profile db allows it' })
    await dropped.getByRole('link', { name: 'shop/production/web' }).waitFor()
    await page.getByText('1 node did not answer').waitFor()
    await page.getByText('58 ended ones of nodes to their own instances').waitFor()
    await page.getByText('again every 8 s while this is open').waitFor()
    const sender = page
      .getByRole('list', { name: 'Begins' })
      .getByRole('button', { name: /^shop\/production\/worker → / })
    await sender.focus()
    await expect.poll(() => page.locator('.flow-line:not(.flow-dim)').count(), polling).toBe(2)
    await page.getByLabel('With ended probes').check()
    await table.getByText('58').first().waitFor()
    await page.getByRole('button', { name: 'Apps', exact: true }).click()
    await page
      .getByRole('list', { name: 'Begins' })
      .getByRole('button', { name: /^shop → / })
      .waitFor()
    await page.getByRole('searchbox', { name: 'Filter connections' }).fill('nothing-at-all')
    await page.getByText('Nothing matches the filter').waitFor()
  })

  it('shows what was dropped by the names of both ends', async () => {
    const page = await console_.enter('/network/drops')
    const row = page.getByRole('row').filter({ hasText: 'shop.production.web-1' })
    await row.getByRole('link', { name: 'ledger.production.api-1' }).waitFor()
    await row.getByText('tcp:3306').waitFor()
  })
})

describe('addresses', () => {
  it('are shown with whose they are, found by name, and compared when asked', async () => {
    const page = await console_.enter('/network/addresses')
    const table = page.getByRole('table', { name: 'Addresses' })
    await table.getByRole('row').filter({ hasText: '10.77.1.240' }).getByText('by hand').waitFor()
    await table.getByRole('row').filter({ hasText: 'by hand' }).getByText('fd77:1::a4d:1f0').waitFor()
    await table.getByRole('link', { name: 'shop.production.web-1', exact: true }).first().waitFor()
    await page.getByRole('searchbox', { name: 'Filter addresses' }).fill('mine')
    await expect.poll(() => table.locator('tbody tr').count(), polling).toBe(1)
    await page.getByRole('button', { name: 'Compare', exact: true }).click()
    await page.getByText('1 difference').waitFor()
    await page.getByText('old-one with 10.77.1.77 on anchor-1 belongs to no container').waitFor()
    expect(await overflow(page)).toBe(0)
  })
})

describe('profiles', () => {
  it('are listed with what is wrong with them, and opened with what each rule decided', async () => {
    const page = await console_.enter('/network/profiles')
    await page.getByRole('row').filter({ hasText: 'reports' }).getByText('1 problem').waitFor()
    await page.getByRole('link', { name: 'db', exact: true }).click()
    await page.getByRole('link', { name: 'ledger/production/api' }).waitFor()
    const rule = page
      .getByRole('table', { name: 'Inbound' })
      .getByRole('row')
      .filter({ hasText: 'tcp:3306 from db-users' })
    await rule.getByText('8422').waitFor()
    await page.getByRole('button', { name: 'Remove' }).click()
    const ask = page.getByRole('dialog', { name: 'Remove profile db?' })
    await ask.getByText('ledger/production/api').waitFor()
    await ask.getByRole('button', { name: 'Remove' }).click()
    await page.getByText(/would be closed; take it out/).waitFor()
  })

  it('are changed by what somebody pastes, after mistakes and what it would cut are told', async () => {
    const page = await console_.enter('/network/profiles/db')
    await page.getByRole('button', { name: 'Edit' }).click()
    const dialog = page.getByRole('dialog', { name: 'Edit profile db' })
    const text = dialog.getByLabel('Profile, in YAML or Calico’s JSON')
    await text.fill('name: db\ninbound: [form web]\n')
    await dialog.getByRole('button', { name: 'Show what it does' }).click()
    await dialog
      .getByRole('alert')
      .getByText(/did you mean "from"/)
      .waitFor()
    await text.fill('{"id": "db", "inbound_rules": [], "outbound_rules": [{"action": "allow"}]}')
    await dialog.getByRole('button', { name: 'Show what it does' }).click()
    await dialog.getByText('31 could not be made any more').waitFor()
    await dialog.getByText(/shop\/production\/worker → ledger\/production\/api tcp:3306 \(31\)/).waitFor()
    await dialog.getByRole('button', { name: 'Apply', exact: true }).click()
    await page.getByText('Profile db is applied').waitFor()
    const rule = page.getByRole('table', { name: 'Inbound' }).getByText('tcp:3306 from db-users')
    await expect.poll(() => rule.count(), polling).toBe(0)
    expect(console_.mock.store.get('listProfiles', 'db')?.version).toBe(2)
  })

  it('by the thousand are found by a filter', async () => {
    const sample = console_.mock.store.get('listProfiles', 'web')
    for (let n = 0; n < 1_000 && sample !== undefined; n++)
      console_.mock.store.put('listProfiles', { ...sample, name: `p-${n}`, tags: [`t-${n}`] })
    const page = await console_.enter('/network/profiles')
    await page.getByText(/The first 200 of 1,0\d\d are shown\./).waitFor()
    await page.getByRole('searchbox', { name: 'Filter by name, tag, rule' }).fill('t-777')
    await page.getByRole('link', { name: 'p-777' }).waitFor()
    await expect.poll(() => page.locator('tbody tr').count(), polling).toBe(1)
  })
})

it('names external services, changes and forgets them', async () => {
  const page = await console_.enter('/network/services')
  await page.getByText('search-12.eu.cloud.example').waitFor()
  await page.getByRole('button', { name: 'Add an external service' }).click()
  const dialog = page.getByRole('dialog', { name: 'Add an external service' })
  await dialog.getByLabel(/^Name/).fill('cache')
  await dialog.getByLabel('Addresses or host name').fill('192.0.2.9 cache.example')
  await dialog.getByRole('button', { name: 'Save' }).click()
  await dialog.getByRole('alert').getByText('write addresses, or one host name').waitFor()
  await dialog.getByLabel('Addresses or host name').fill('192.0.2.9')
  await dialog.getByLabel('Ports').fill('redis=6379')
  await dialog.getByRole('button', { name: 'Save' }).click()
  await page.getByRole('row').filter({ hasText: 'cache.berth' }).getByText('redis=6379').waitFor()
  await page.getByRole('button', { name: 'Remove cache' }).click()
  await page.getByRole('dialog').getByRole('button', { name: 'Remove' }).click()
  await expect.poll(() => page.getByRole('row').filter({ hasText: 'cache.berth' }).count(), polling).toBe(0)
})

it('leads routes of the gateway to external services', async () => {
  const page = await console_.enter('/network/services')
  const row = page.getByRole('row').filter({ hasText: 'mysql.shop.berth' })
  await row.getByText('mysql.example.com/').waitFor()
  await page.getByRole('button', { name: 'Change mysql.shop' }).click()
  const routes = page.getByRole('dialog').getByLabel('Routes of the gateway')
  await expect.poll(() => routes.inputValue(), polling).toBe('mysql.example.com/ mysql')
  await routes.fill('mysql.example.com/admin/ mysql off\nhttps://x mysql')
  await page.getByRole('dialog').getByRole('button', { name: 'Save' }).click()
  await page.getByRole('dialog').getByRole('alert').waitFor()
  await routes.fill('mysql.example.com/admin mysql off')
  await page.getByRole('dialog').getByRole('button', { name: 'Save' }).click()
  await row.getByText('mysql.example.com/admin').waitFor()
})

it('lists networks of the machines’ own with what is wrong on nodes, and removes what nothing uses', async () => {
  const page = await console_.enter('/network/lans')
  const lan = page.getByRole('row').filter({ hasText: 'macvlan on eth1' })
  await lan.getByText('1 of 3 ready').waitFor()
  await lan.getByText('192.168.7.128/25 in slices of /29').waitFor()
  await lan.getByText('anchor-2: its agent is away').waitFor()
  await lan.getByText('anchor-3: network lan: this node has no interface eth1').waitFor()
  await page.getByRole('button', { name: 'Remove lan' }).click()
  await page.getByRole('dialog').getByRole('button', { name: 'Remove' }).click()
  await page.getByText('shop/production/web uses it').waitFor()
  expect(console_.mock.store.get('listLans', 'lan')).toBeDefined()
  await page.reload()
  const storage = page.getByRole('row').filter({ hasText: 'flat on eth0.120' })
  await storage.getByText('0 of 0 ready').waitFor()
  await page.getByRole('button', { name: 'Remove storage' }).click()
  await page.getByRole('dialog').getByRole('button', { name: 'Remove' }).click()
  await expect.poll(() => storage.count(), polling).toBe(0)
})

describe('domains of one’s own', () => {
  it('are listed with what is wrong with them, added after mistakes are told, changed and forgotten', async () => {
    const page = await console_.enter('/network/domains')
    const odd = page.getByRole('row').filter({ hasText: 'wiki.corp.example' })
    await odd.getByText('there is no app or external service wiki').waitFor()
    await page.getByText('10.0.0.53 fra=10.1.0.53').waitFor()
    await page.getByRole('button', { name: 'Add a domain' }).click()
    const dialog = page.getByRole('dialog', { name: 'Add a domain' })
    await dialog.getByRole('textbox', { name: /^Name(?! of)/ }).fill('x.berth')
    await dialog.getByRole('combobox').selectOption('resolvers')
    await dialog.getByRole('textbox', { name: /^Resolvers/ }).fill('10.0.0.300')
    await dialog.getByRole('button', { name: 'Save' }).click()
    await dialog
      .getByRole('alert')
      .getByText(/x\.berth is of the cluster’s own domain berth.*10\.0\.0\.300/)
      .waitFor()
    await dialog.getByRole('textbox', { name: /^Name(?! of)/ }).fill('lab.internal')
    await dialog.getByRole('textbox', { name: /^Resolvers/ }).fill('10.0.0.54')
    await dialog.getByRole('button', { name: 'Save' }).click()
    const row = page.getByRole('row').filter({ hasText: 'lab.internal' })
    await row.getByText('asked of resolvers').waitFor()
    await page.getByRole('button', { name: 'Change lab.internal' }).click()
    await page.getByRole('dialog').getByRole('combobox').selectOption('addresses')
    await page
      .getByRole('dialog')
      .getByRole('textbox', { name: /^Addresses/ })
      .fill('192.0.2.90, 192.0.2.91')
    await page.getByRole('dialog').getByRole('button', { name: 'Save' }).click()
    await row.getByText('192.0.2.90 192.0.2.91').waitFor()
    expect(console_.mock.store.get('listDomains', 'lab.internal')?.version).toBe(2)
    await page.getByRole('button', { name: 'Remove lab.internal' }).click()
    await page.getByRole('dialog').getByRole('button', { name: 'Remove' }).click()
    await expect.poll(() => row.count(), polling).toBe(0)
  })

  it('are not saved over what somebody else has changed meanwhile', async () => {
    const page = await console_.enter('/network/domains')
    await page.getByRole('button', { name: 'Change shop.corp.example' }).click()
    const dialog = page.getByRole('dialog')
    await dialog.getByRole('textbox', { name: /^Name of Berth/ }).fill('web.staging.shop')
    const before = console_.mock.store.get('listDomains', 'shop.corp.example')
    if (before !== undefined) console_.mock.store.put('listDomains', { ...before, version: 7 })
    await dialog.getByRole('button', { name: 'Save' }).click()
    await dialog.getByRole('alert').getByText('has version 7 by now, not 1').waitFor()
  })
})

it('publishes and withdraws ports of what runs', async () => {
  const page = await console_.enter('/instances/search.production.query-1')
  await page.getByText('9090 → 9000').waitFor()
  await page.getByRole('button', { name: 'Publish a port' }).click()
  const dialog = page.getByRole('dialog')
  const port = dialog.getByLabel(/^Port of the node/)
  for (const [typed, refusal] of [
    ['80:http', /is no port to publish/],
    ['9090:1', /port 9090 of .* is that of search\.production\.query-1/],
  ] as const) {
    await port.fill(typed)
    await dialog.getByRole('button', { name: 'Publish a port' }).click()
    await dialog.getByRole('alert').getByText(refusal).waitFor()
  }
  await port.fill('5353:53/udp')
  await dialog.getByRole('button', { name: 'Publish a port' }).click()
  await page.getByText('5353 → 53/udp').waitFor()
  await page.getByRole('button', { name: 'Withdraw 5353/udp' }).click()
  await page.getByRole('dialog').getByRole('button', { name: 'Withdraw' }).click()
  await expect.poll(() => page.getByText('5353 → 53/udp').count(), polling).toBe(0)
  await page.getByText('9090 → 9000').waitFor()
})

it('shows how nodes learn routes, and what one says of its sessions', async () => {
  const page = await console_.enter('/network/nodes')
  await page.getByText('BGP: learned from each other').waitFor()
  await page.getByText('64512, fra 64601').waitFor()
  const all = page.getByRole('table', { name: 'Sessions of all nodes' })
  const down = all.getByRole('row').filter({ hasText: 'anchor-1 – anchor-3' })
  await down.getByText('Connection refused').first().waitFor()
  await all.getByRole('row').filter({ hasText: 'anchor-1 – anchor-2' }).getByText(/^up /).waitFor()
  await page.getByLabel('Only those that are down').check()
  await expect.poll(() => all.getByRole('row').filter({ hasText: 'anchor-1 – anchor-2' }).count(), polling).toBe(0)
  await page.getByRole('searchbox', { name: 'Filter by name or label' }).fill('mast')
  await expect.poll(() => down.count(), polling).toBe(0)
  await page.getByRole('searchbox', { name: 'Filter by name or label' }).fill('')
  await page.getByRole('button', { name: 'Routes of anchor-1' }).click()
  await page.getByRole('table', { name: 'Sessions', exact: true }).getByText('Connection refused').first().waitFor()
  await page.getByRole('table', { name: 'Routes of anchor-1' }).getByRole('link', { name: 'anchor-2' }).waitFor()
})

it('limits the network of what runs, and says what is guaranteed on a node', async () => {
  const page = await console_.enter('/instances/shop.production.web-1')
  await page.getByText('in 200Mbit, out 100Mbit').waitFor()
  await page.getByText(/^packets a second: in \d+, out \d+$/).waitFor()
  await page.getByText('over the limit: in 0, out 1204').waitFor()
  await page.getByRole('button', { name: 'Resize' }).click()
  const dialog = page.getByRole('dialog')
  await dialog.getByLabel('Limit of what comes in').fill('300MB')
  await dialog.getByRole('button', { name: 'Show what it does' }).click()
  await dialog
    .getByRole('alert')
    .getByText(/write such as 200Mbit/)
    .waitFor()
  await dialog.getByLabel('Limit of what comes in').fill('300Mbit')
  await dialog.getByRole('button', { name: 'Show what it does' }).click()
  await dialog.getByText('in 200Mbit → in 300Mbit').first().waitFor()
  await dialog.getByRole('button', { name: 'Resize', exact: true }).click()
  await page.getByText('in 300Mbit, out 100Mbit').waitFor()
  await page.goto(`${console_.mock.url}/nodes/anchor-1`)
  await page.getByText('Guaranteed out').waitFor()
})

it('is offered to viewers to look at only, fits a phone, and complains of nothing', async () => {
  const before = console_.complaints.length
  const page = await console_.enter('/network/profiles/web', { token: 'berth_viewer_token', width: 390 })
  await page.getByRole('table', { name: 'Outbound' }).waitFor()
  expect(await page.locator('main button').allTextContents()).not.toContain('Edit')
  for (const tab of ['', '/flows', '/drops', '/services', '/domains', '/nodes', '/lans']) {
    await page.goto(`${console_.mock.url}/network${tab}`)
    await page.locator('.asked, .table').first().waitFor()
    expect(await overflow(page), tab).toBe(0)
  }
  expect(console_.complaints.slice(before)).toEqual([])
})

import type { Page } from 'playwright-core'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { ConsoleUnderTest } from './console-under-test.ts'

let console_: ConsoleUnderTest
beforeAll(async () => {
  console_ = await ConsoleUnderTest.start()
})
afterEach(() => console_.closePages())
afterAll(() => console_[Symbol.asyncDispose]())

const buttons = (page: Page): Promise<string[]> => page.locator('main button').allTextContents()

describe('node groups', () => {
  it('say how CPU is given out, what is left, and to whom', async () => {
    const page = await console_.enter('/groups')
    const fast = page.getByRole('listitem').filter({ hasText: 'fast' }).first()
    await fast.getByText('10 pieces a core · at most 12 shared cores a node').waitFor()
    await fast.getByText(/of 300 cores given/).waitFor()
    await fast.getByText('Mai Tanaka').waitFor()
    await page.getByRole('link', { name: 'fast', exact: true }).click()
    await page.getByRole('heading', { name: 'mast-2' }).waitFor()
    await page.getByRole('link', { name: 'search/production' }).waitFor()
  })

  it('are made, refused with what to write, changed and removed', async () => {
    const page = await console_.enter('/groups')
    await page.getByRole('button', { name: 'Create a group' }).click()
    const form = page.getByRole('dialog', { name: 'Create a group' })
    await form.getByLabel('Name').fill('slow')
    await form.getByLabel(/^CPU is shared/).check()
    await form.getByLabel('Quota of memory').fill('64')
    await form.getByRole('button', { name: 'Create' }).click()
    await form.getByRole('alert').getByText('64: a size needs a unit; write 64Mi').waitFor()
    await form.getByLabel('Quota of memory').fill('64Gi')
    await form.getByLabel('Only some may use it').check()
    await form.getByLabel('Who may use it').fill('Ana, Ben')
    await form.getByRole('button', { name: 'Create' }).click()
    await page.getByRole('link', { name: 'slow', exact: true }).click()
    await page.getByText('0 B of 64 GiB given').waitFor()
    await page.getByRole('button', { name: 'Change the rules' }).click()
    const rules = page.getByRole('dialog', { name: 'Rules of slow' })
    await expect.poll(() => rules.getByLabel('Who may use it').inputValue()).toBe('Ana, Ben')
    await rules.getByLabel('Only some may use it').uncheck()
    await rules.getByLabel('Oversell').fill('2.5')
    await rules.getByRole('button', { name: 'Save' }).click()
    await page.getByText('oversold 2.5 times').waitFor()
    await page.getByText('everybody').waitFor()
    await page.getByRole('button', { name: 'Remove the group' }).click()
    const removal = page.getByRole('dialog', { name: 'Remove node group slow?' })
    await removal.getByLabel('Type slow to confirm').fill('slow')
    await removal.getByRole('button', { name: 'Remove the group' }).click()
    await page.waitForURL('**/groups')
    await expect.poll(() => page.getByRole('link', { name: 'slow', exact: true }).count()).toBe(0)
  })

  it('with nodes in them are not removed, and the one of all nodes cannot be', async () => {
    const page = await console_.enter('/groups/fast')
    await page.getByRole('button', { name: 'Remove the group' }).click()
    const removal = page.getByRole('dialog')
    await removal.getByText('It still has 2 nodes').waitFor()
    await removal.getByLabel('Type fast to confirm').fill('fast')
    await page.keyboard.press('Enter')
    await removal.getByRole('alert').getByText('2 nodes are in it').waitFor()
    await page.goto(`${console_.mock.url}/groups/default`)
    await page.getByRole('heading', { level: 1, name: 'default' }).waitFor()
    await page.getByRole('button', { name: 'Change the rules' }).waitFor()
    expect((await buttons(page)).join()).not.toMatch(/Remove/)
  })

  it('show wishes for memory, decided on the spot', async () => {
    const page = await console_.enter('/groups')
    const row = page.getByRole('row').filter({ hasText: 'ledger/production' })
    await row.getByText('Waiting').waitFor()
    await row.getByRole('button', { name: 'Deny' }).click()
    await row.getByText('Denied').waitFor()
    await expect.poll(() => row.getByRole('button').count()).toBe(0)
  })
})

it('shows what would move to make a group more even, moves it, and stops', async () => {
  const page = await console_.enter('/groups/fast')
  const row = page.getByRole('table', { name: 'More evenly full' }).getByRole('row').nth(1)
  await row.getByText('65 % → 64 %').waitFor()
  await page.getByRole('button', { name: 'Rebalance' }).click()
  await page.getByRole('dialog').getByRole('button', { name: 'Rebalance' }).click()
  await page.getByText('Under way, 1 moved.').waitFor()
  await page.getByRole('button', { name: 'Stop rebalancing' }).click()
  await page.getByText('Ended, 1 moved.').waitFor()
})

describe('a node', () => {
  it('changes its group only when it is empty', async () => {
    const page = await console_.enter('/nodes/anchor-1')
    await page.getByRole('button', { name: 'Put elsewhere' }).click()
    const dialog = page.getByRole('dialog', { name: 'Node group of anchor-1' })
    await dialog.getByLabel('Node group').selectOption('trial')
    await dialog.getByRole('button', { name: 'Save' }).click()
    await dialog.getByRole('alert').getByText('6 instances run on it; drain it first').waitFor()
    await page.goto(`${console_.mock.url}/nodes/anchor-3`)
    await page.getByRole('button', { name: 'Put elsewhere' }).click()
    const empty = page.getByRole('dialog', { name: 'Node group of anchor-3' })
    await empty.getByLabel('Node group').selectOption('trial')
    await empty.getByRole('button', { name: 'Save' }).click()
    await page.getByRole('main').getByRole('link', { name: 'trial' }).first().waitFor()
  })

  it('gets taints, resources and a speed, which can be measured', async () => {
    const page = await console_.enter('/nodes/anchor-2')
    await page.getByRole('button', { name: 'Edit taints' }).click()
    const taints = page.getByRole('dialog', { name: 'Taints of anchor-2' })
    await taints.getByLabel('Taint 1', { exact: true }).fill('dedicated')
    await taints.getByLabel('Value, if any 1', { exact: true }).fill('ml')
    await taints.getByRole('button', { name: 'Save' }).click()
    await page.getByText('dedicated=ml').waitFor()
    await page.getByRole('button', { name: 'Edit resources' }).click()
    const resources = page.getByRole('dialog', { name: 'Further resources of anchor-2' })
    await resources.getByLabel('Resource 1', { exact: true }).fill('gpu')
    await resources.getByLabel('Number or names 1', { exact: true }).fill('4')
    await resources.getByRole('button', { name: 'Save' }).click()
    await page.getByText('gpu: 4').waitFor()
    expect(console_.mock.store.get('listNodes', 'anchor-2')).toMatchObject({
      taints: [{ key: 'dedicated', value: 'ml' }],
      resources: { gpu: 4 },
    })
    await page.getByRole('button', { name: 'Set or measure' }).click()
    const speed = page.getByRole('dialog', { name: 'Speed of anchor-2' })
    await speed.getByLabel('Speed of its cores').fill('fast')
    await speed.getByRole('button', { name: 'Save' }).click()
    await speed.getByRole('alert').getByText('is not an amount of CPU').waitFor()
    await speed.getByLabel('Measure it against').selectOption('anchor-1')
    await speed.getByRole('button', { name: 'Measure' }).click()
    await speed.getByText('Measured: 0.87 times as fast as anchor-1.').waitFor()
    await speed.getByRole('button', { name: 'Close', exact: true }).click()
    await page.getByText('0.87 times as fast as the others').waitFor()
  })
})

it('moves an environment to another group', async () => {
  const page = await console_.enter('/apps/shop/staging/settings')
  await page.getByRole('button', { name: 'Move to another group…' }).click()
  const dialog = page.getByRole('dialog', { name: 'Move shop/staging' })
  await dialog.getByLabel('Node group').selectOption('fast')
  await dialog.getByRole('button', { name: 'Move', exact: true }).click()
  await page.getByText('Its instances run on nodes of fast, whatever its berth.yaml says.').waitFor()
  await page.getByRole('link', { name: 'View', exact: true }).click()
  await page.waitForURL('**/rollouts/r-new*')
})

it.each([
  ['berth_viewer_token', []],
  ['berth_deployer_token', ['Deny', 'Approve']],
] as const)('%s is offered of groups only what it may do', async (token, may) => {
  const approval = console_.mock.store.get('listApprovals', 'ledger/production/api')
  if (approval !== undefined) console_.mock.store.put('listApprovals', { ...approval, state: 'waiting' })
  const page = await console_.enter('/groups', { token })
  await page.getByRole('row').filter({ hasText: 'ledger/production' }).getByText('Waiting').waitFor()
  await expect.poll(() => buttons(page)).toEqual(may)
  for (const path of ['/groups/fast', '/nodes/mast-1']) {
    await page.goto(console_.mock.url + path)
    await page.locator('.meters').first().waitFor()
    expect(
      (await buttons(page)).filter((each) => !/ min$/.test(each)),
      path,
    ).toEqual([])
  }
})

import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { mockToken } from '../dev/mock-server.ts'
import { ConsoleUnderTest } from './console-under-test.ts'

let console_: ConsoleUnderTest
beforeAll(async () => {
  console_ = await ConsoleUnderTest.start()
})
afterEach(() => console_.closePages())
afterAll(() => console_[Symbol.asyncDispose]())

describe('logging in', () => {
  it('asks, tells what is wrong, and comes back to where one wanted to go', async () => {
    const page = await console_.open()
    await page.goto(`${console_.mock.url}/nodes?x=1`)
    await page.waitForURL('**/login?next=*')
    await page.getByLabel('Access token').fill('berth_wrong')
    await page.keyboard.press('Enter')
    await page.getByRole('alert').getByText('the token is not valid').waitFor()
    await page.getByLabel('Access token').fill(mockToken)
    await page.getByRole('button', { name: 'Log in' }).click()
    await page.getByRole('heading', { name: 'anchor-1' }).waitFor()
    expect(new URL(page.url()).pathname).toBe('/nodes')
  })

  it('takes a token from the fragment and removes it; logging out ends the session', async () => {
    const page = await console_.open()
    const seen: string[] = []
    page.on('framenavigated', (frame) => seen.push(frame.url()))
    await page.goto(`${console_.mock.url}/login#token=${mockToken}`)
    await page.getByRole('heading', { name: 'Apps' }).waitFor()
    await expect.poll(() => seen.at(-1)).not.toContain(mockToken)
    await page.goBack()
    expect(page.url()).not.toContain(mockToken)
    await page.goto(`${console_.mock.url}/apps`)
    await page.getByRole('button', { name: 'Account' }).click()
    await page.getByRole('button', { name: 'Log out' }).click()
    await page.waitForURL('**/login')
    await page.goto(`${console_.mock.url}/apps`)
    await page.waitForURL('**/login*')
  })
})

describe('acting', () => {
  it('rolls back with one click and a confirmation, and shows it live', async () => {
    console_.mock.simulation.held = true
    const page = await console_.enter('/apps/shop/production/history')
    await page.getByRole('button', { name: 'Roll back to v13' }).click()
    const dialog = page.getByRole('dialog', { name: 'Roll shop/production back to v13?' })
    await dialog.getByRole('button', { name: 'Roll back' }).click()
    await page.getByText('shop/production is rolling back to v13').waitFor()
    await page.getByRole('link', { name: 'Overview' }).click()
    const rollout = page.getByRole('region', { name: /^Rollout r-new/ })
    await rollout.getByRole('button', { name: 'Pause' }).click()
    await rollout.getByText('paused by token:dev').waitFor()
    await rollout.getByRole('button', { name: 'Resume' }).click()
    console_.mock.simulation.held = false
    const web = page.getByRole('region', { name: 'web', exact: true })
    await expect.poll(() => web.getByRole('link', { name: 'v13' }).count()).toBe(4)
    await expect.poll(() => rollout.count()).toBe(0)
    await page.getByText('v13 runs, the latest release is v14.').waitFor()
  })

  it('deploys a commit after its plan, and follows build and rollout', async () => {
    const page = await console_.enter('/apps/shop/staging')
    await page.locator('[data-deploy]').waitFor()
    await page.keyboard.press('d')
    await page.getByLabel('Branch, tag or commit').fill('nonsense')
    await page.keyboard.press('Enter')
    await page.getByText('there is no such branch, tag or commit').waitFor()
    await page.getByLabel('Branch, tag or commit').fill('main')
    await page.keyboard.press('Enter')
    await expect
      .poll(() => page.locator('.diff li').allInnerTexts())
      .toEqual([expect.stringContaining('~'), expect.stringContaining('+'), expect.stringContaining('-')])
    await page.getByRole('button', { name: 'Deploy to staging' }).click()
    await page.waitForURL('**/builds/b-new*')
    await page.locator('.line').getByText('fetched d3adb33f').waitFor()
    await page.locator('.page-title').getByText('Succeeded').waitFor()
    await page.getByRole('link', { name: /^r-new/ }).click()
    await page.locator('.rollout').waitFor()
    await page.locator('.page-title').getByText('Succeeded').waitFor()
  })

  it('scales, and says that the yaml differs', async () => {
    const page = await console_.enter('/apps/shop/staging')
    await page.getByRole('button', { name: 'Scale web' }).click()
    await page.getByRole('button', { name: 'One more' }).click()
    await page.getByText('web: 1 → 2').waitFor()
    await page.getByRole('dialog').getByRole('button', { name: 'Scale' }).click()
    await page.getByRole('note').getByText('web is scaled to 2 by hand; berth.yaml says 1.').waitFor()
  })

  it('says that there cannot be so many, instead of asking for fewer', async () => {
    const page = await console_.enter('/apps/shop/staging')
    await page.getByRole('button', { name: 'Scale web' }).click()
    await page.getByLabel('Wanted').fill('99999999')
    await page.getByRole('alert').getByText('at most 10,000 instances').waitFor()
    await expect.poll(() => page.getByRole('dialog').getByRole('button', { name: 'Scale' }).isDisabled()).toBe(true)
    expect(await page.getByLabel('Wanted').inputValue()).toBe('99999999')
  })

  it('sets and removes a secret; nothing is removed without a confirmation', async () => {
    const page = await console_.enter('/apps/shop/-/secrets')
    await page.getByRole('button', { name: 'Set a secret' }).click()
    await page.getByLabel('Name').fill('API_KEY')
    await page.getByLabel('Value').fill('hunter2')
    await page.getByRole('button', { name: 'Set', exact: true }).click()
    await page.getByRole('cell', { name: 'API_KEY', exact: true }).waitFor()
    expect(await page.content()).not.toContain('hunter2')
    await page.getByRole('button', { name: 'Remove API_KEY' }).click()
    // It is first asked what uses it.
    const confirmation = page.getByRole('dialog').filter({ has: page.getByRole('button', { name: 'Remove' }) })
    await confirmation.waitFor()
    await page.keyboard.press('Escape')
    await confirmation.waitFor({ state: 'detached' })
    expect(await page.getByRole('cell', { name: 'API_KEY', exact: true }).count()).toBe(1)
    await page.getByRole('button', { name: 'Remove API_KEY' }).click()
    await confirmation.getByRole('button', { name: 'Remove' }).click()
    await expect.poll(() => page.getByRole('cell', { name: 'API_KEY', exact: true }).count()).toBe(0)
  })
})

it('types into a terminal, resizes it, and shows how the command ended', async () => {
  const page = await console_.enter('/instances/shop.production.web-1/terminal')
  await page.getByRole('status').getByText('Connected').waitFor()
  const screen = async () => (await page.locator('.xterm-rows').textContent()) ?? ''
  await expect.poll(screen).toContain('/app')
  await page.keyboard.type('echo hello berth\r')
  await expect.poll(async () => (await screen()).match(/hello berth/g)?.length).toBe(2)
  await page.setViewportSize({ width: 700, height: 700 })
  await page.keyboard.type('size\r')
  await expect.poll(screen).toMatch(/\d+x\d+/)
  await page.keyboard.press('Control+Shift+Escape')
  await expect.poll(() => page.evaluate(() => document.activeElement?.textContent)).toBe('Terminal')
  await page.locator('.xterm-helper-textarea').focus()
  await page.keyboard.type('exit 3\r')
  await page.getByText('The command ended with code 3').waitFor()
  await page.getByRole('button', { name: 'Start again' }).click()
  await page.getByRole('status').getByText('Connected').waitFor()
})

describe('a lost connection', () => {
  it('is shown, and what changed meanwhile is there when it is back', async () => {
    const page = await console_.enter('/nodes')
    await page.getByRole('heading', { name: 'anchor-1' }).waitFor()
    console_.mock.goDown()
    await page.getByRole('alert').getByText('Connection lost').waitFor()
    await page.getByRole('heading', { name: 'anchor-1' }).waitFor()
    const node = console_.mock.store.get('listNodes', 'anchor-1')
    if (node === undefined) throw new Error('the mock has no anchor-1')
    console_.mock.store.put('listNodes', { ...node, schedulable: false })
    console_.mock.comeBack()
    await page.getByText('Not schedulable').waitFor()
    await expect.poll(() => page.getByRole('alert').count()).toBe(0)
  })

  it('lists again when the server has forgotten the changes', async () => {
    const page = await console_.enter('/nodes')
    await page.getByRole('heading', { name: 'anchor-2' }).waitFor()
    console_.mock.goDown()
    console_.mock.store.remove('listNodes', 'anchor-2')
    console_.mock.store.compact()
    console_.mock.comeBack()
    await expect.poll(() => page.getByRole('heading', { name: 'anchor-2' }).count()).toBe(0)
    await page.getByRole('heading', { name: 'anchor-1' }).waitFor()
  })
})

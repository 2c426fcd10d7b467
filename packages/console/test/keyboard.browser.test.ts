import type { Page } from 'playwright-core'
import { afterAll, afterEach, beforeAll, expect, it } from 'vitest'
import { ConsoleUnderTest } from './console-under-test.ts'

let console_: ConsoleUnderTest
beforeAll(async () => {
  console_ = await ConsoleUnderTest.start()
})
afterEach(() => console_.closePages())
afterAll(() => console_[Symbol.asyncDispose]())

const focusOf = (page: Page) =>
  page.evaluate(() => {
    const element = document.activeElement
    if (!(element instanceof HTMLElement)) return { name: '', ring: 0 }
    const style = getComputedStyle(element)
    return {
      name: (element.textContent || element.getAttribute('aria-label')) ?? '',
      ring: style.outlineStyle === 'none' ? 0 : Number.parseFloat(style.outlineWidth),
    }
  })

it('reaches everything by Tab, with a visible focus, the skip link first', async () => {
  const page = await console_.enter('/apps')
  await page.locator('.app-line').first().waitFor()
  const names: string[] = []
  for (let i = 0; i < 52; i += 1) {
    await page.keyboard.press('Tab')
    const { name, ring } = await focusOf(page)
    expect(ring, name).toBeGreaterThanOrEqual(1)
    names.push(name.trim())
  }
  expect(names[0]).toBe('Skip to the content')
  expect(names).toEqual(
    expect.arrayContaining([
      'Apps',
      'Activity',
      'Schedules',
      'Nodes',
      'Node groups',
      'Routes',
      'Certificates',
      'ledger/production',
      'ledger',
      'production',
    ]),
  )
})

it('may say something twice for a moment', async () => {
  const page = await console_.enter('/apps')
  await page.evaluate(() => {
    const twice = [0, 1].map(() => Object.assign(document.createElement('p'), { textContent: 'said by two' }))
    document.body.append(...twice)
    setTimeout(() => twice[0]?.remove(), 300)
  })
  await page.getByText('said by two').click()
  expect(await page.getByText('said by two').count()).toBe(1)
})

it('skips to the content', async () => {
  const page = await console_.enter('/apps')
  await page.locator('.app-line').first().waitFor()
  await page.keyboard.press('Tab')
  await page.keyboard.press('Enter')
  await expect.poll(() => page.evaluate(() => document.activeElement?.id)).toBe('main')
})

it('searches by /, chooses by arrows, goes by Enter', async () => {
  const page = await console_.enter('/apps')
  await page.locator('.app-line').first().waitFor()
  await page.keyboard.press('/')
  await page.keyboard.type('worker')
  await expect.poll(() => page.getByRole('option').count()).toBeGreaterThan(2)
  await page.keyboard.press('ArrowDown')
  await expect.poll(() => page.getByRole('option').nth(1).getAttribute('aria-selected')).toBe('true')
  const chosen = await page.locator('[role=option][aria-selected=true] .search-label').textContent()
  await page.keyboard.press('Enter')
  await page.getByRole('heading', { level: 1, name: chosen?.split('/').at(-1) ?? '' }).waitFor()
  await expect.poll(() => page.locator('dialog').count()).toBe(0)
})

it('deploys without a mouse', async () => {
  const page = await console_.enter('/apps/shop/staging')
  await page.locator('[data-deploy]').waitFor()
  await page.keyboard.press('d')
  await page.getByLabel('Branch, tag or commit').focus()
  await page.keyboard.press('Enter')
  await page.locator('.diff').waitFor()
  await expect.poll(() => focusOf(page).then(({ name }) => name)).toBe('Deploy to staging')
  await page.keyboard.press('Enter')
  await page.waitForURL('**/builds/b-new*')
})

it('knows its shortcuts, and leaves them alone while somebody types', async () => {
  const page = await console_.enter('/apps')
  await page.locator('.app-line').first().waitFor()
  await page.keyboard.press('?')
  await page.getByRole('dialog', { name: 'Keyboard shortcuts' }).waitFor()
  await page.keyboard.press('Escape')
  await expect.poll(() => page.locator('dialog').count()).toBe(0)
  await page.getByLabel('Filter apps').fill('')
  await page.getByLabel('Filter apps').pressSequentially('gn?')
  expect(new URL(page.url()).pathname).toBe('/apps')
  await page.getByText('No app matches the filter').waitFor()
  await page.keyboard.press('Escape')
  const nodes = page.getByRole('heading', { level: 1, name: 'Nodes' })
  // Both belong together only when one soon follows the other, which a busy machine may not manage.
  await expect
    .poll(async () => {
      await page.keyboard.type('gn')
      return await nodes.count()
    })
    .toBe(1)
})

it('switches theme and language, and remembers both', async () => {
  const page = await console_.enter('/apps')
  await page.locator('.app-line').first().waitFor()
  const background = () => page.evaluate(() => getComputedStyle(document.documentElement).backgroundColor)
  const light = await background()
  await page.keyboard.press('t')
  await expect.poll(background).not.toBe(light)
  await page.getByRole('button', { name: 'Account' }).click()
  await page.getByLabel('中文').check()
  await page.getByRole('heading', { level: 1, name: '应用' }).waitFor()
  await page.reload()
  await page.getByRole('heading', { level: 1, name: '应用' }).waitFor()
  expect(await background()).not.toBe(light)
})

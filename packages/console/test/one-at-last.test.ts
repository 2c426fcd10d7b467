import type { Page } from 'playwright-core'
import { expect, it } from 'vitest'
import { expectOneAtLast } from './one-at-last.ts'

const refusal = 'locator.click: Error: strict mode violation: getByText("x") resolved to 2 elements'

it('what is twice for a moment is asked for again, what stays so is refused, and so is all else, at once', async () => {
  let asked = 0
  let refuses: (asked: number) => string | undefined = () => undefined
  const ask = async (): Promise<string> => {
    asked += 1
    const why = refuses(asked)
    if (why !== undefined) throw new Error(why)
    return 'done'
  }
  class Locators {}
  const all = Locators.prototype as Record<string, unknown>
  const names = ['boundingBox', 'check', 'click', 'evaluate', 'fill', 'focus', 'getAttribute', 'hover', 'innerHTML']
  const further = ['innerText', 'inputValue', 'isChecked', 'isDisabled', 'isEnabled', 'isVisible', 'press']
  const last = ['pressSequentially', 'selectOption', 'setInputFiles', 'textContent', 'uncheck', 'waitFor']
  for (const name of [...names, ...further, ...last]) all[name] = ask
  const page = { locator: () => new Locators() } as unknown as Page
  expectOneAtLast(page, 200)
  expectOneAtLast(page, 200)

  refuses = (n) => (n < 3 ? refusal : undefined)
  await expect(page.locator('x').click()).resolves.toBe('done')
  expect(asked).toBe(3)

  refuses = () => refusal
  await expect(page.locator('x').click()).rejects.toThrow('strict mode violation')
  expect(asked).toBeGreaterThan(5)

  asked = 0
  refuses = () => 'Timeout 45000ms exceeded'
  await expect(page.locator('x').waitFor()).rejects.toThrow('Timeout')
  expect(asked).toBe(1)
})

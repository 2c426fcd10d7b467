import { setTimeout } from 'node:timers/promises'
import type { Page } from 'playwright-core'

/** What a test does with the one element that it names. */
const asks = [
  ...(['boundingBox', 'check', 'click', 'evaluate', 'fill', 'focus', 'getAttribute', 'hover', 'innerHTML'] as const),
  ...(['innerText', 'inputValue', 'isChecked', 'isDisabled', 'isEnabled', 'isVisible', 'press'] as const),
  ...(['pressSequentially', 'selectOption', 'setInputFiles', 'textContent', 'uncheck', 'waitFor'] as const),
]

type Ask = (this: unknown, ...args: unknown[]) => Promise<unknown>
const patient = new WeakSet<object>()

/**
 * While a page goes from one state to the next the same words may be in it twice for a moment: in a dialog that closes and in the row
 * behind it. Playwright refuses that at once, however long the time of an action is. From here on it is refused when it stays so for
 * `withinMs`: what is asked for has to be there once still, and nothing is done before it is.
 */
export function expectOneAtLast(page: Page, withinMs: number): void {
  // All pages of a process share it.
  const locators = Object.getPrototypeOf(page.locator('html')) as Record<string, Ask>
  if (patient.has(locators)) return
  patient.add(locators)
  for (const name of asks) {
    const ask = locators[name]
    if (ask === undefined) throw new Error(`locators have no ${name}`)
    locators[name] = async function (...args) {
      for (const until = performance.now() + withinMs; ; await setTimeout(20)) {
        try {
          return await ask.apply(this, args)
        } catch (error) {
          if (!String(error).includes('strict mode violation') || performance.now() > until) throw error
        }
      }
    }
  }
}

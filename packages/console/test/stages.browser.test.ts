import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { ConsoleUnderTest } from './console-under-test.ts'

let console_: ConsoleUnderTest
beforeAll(async () => {
  console_ = await ConsoleUnderTest.start()
})
afterEach(() => console_.closePages())
afterAll(() => console_[Symbol.asyncDispose]())

describe('a rollout in stages', () => {
  it('shows what it waits for, and goes on stage by stage', async () => {
    const { store, simulation } = console_.mock
    simulation.held = true
    const at = Date.now() - 60_000
    store.put('listRollouts', {
      ...{ app: 'shop', pool: 'staging', createdBy: 'token:mai', id: 'r-waiting2', reason: 'deploy' },
      ...{ from: 'v13', to: 'v14', state: 'running', message: 'v14: stage 1 of 3 (canary) waits for a person' },
      progress: { web: { wanted: 2, newReady: 1, newStarting: 0, oldServing: 1, oldDraining: 0 } },
      stages: [
        {
          ...{ name: 'canary', startedAt: at, readyAt: at + 2000 },
          gates: [
            { type: 'health', verdict: 'passed', message: 'health for 10s' },
            { type: 'person', verdict: 'waiting', message: 'a person' },
          ],
        },
        { name: 'half', gates: [] },
        { name: 'all', gates: [] },
      ],
      ...{ createdAt: at, updatedAt: at },
    })
    const page = await console_.enter('/rollouts/r-waiting2')
    const stages = page
      .getByRole('region', { name: 'Stages' })
      .or(page.locator('section', { hasText: 'Stages' }))
      .first()
    await stages.getByText('health for 10s').waitFor()
    expect(
      (await stages.locator('.rows > li').allTextContents()).map((each) => each.replace(/\d+s.*/, '').trim()),
    ).toEqual([
      expect.stringMatching(/^canarywaits/),
      expect.stringMatching(/^halfnot begun/),
      expect.stringMatching(/^allnot begun/),
    ])
    await stages.getByRole('button', { name: 'Continue' }).click()
    await stages.getByText('by token:dev').waitFor()
    await stages.getByRole('button', { name: 'Skip stage' }).click()
    await page.getByRole('dialog').getByText('Skip the stage half?').waitFor()
    await page.getByRole('dialog').getByRole('button', { name: 'Skip stage' }).click()
    await stages.getByText('skipped by token:dev').waitFor()
    expect(await stages.getByRole('button', { name: 'Continue' }).count()).toBe(0)
  })

  it('waits for people, with a key for the one who reads', async () => {
    const { store } = console_.mock
    const at = Date.now()
    store.put('listRollouts', {
      ...{ app: 'shop', pool: 'staging', createdBy: 'token:mai', id: 'r-people22', reason: 'deploy' },
      ...{ from: 'v13', to: 'v14', state: 'paused', message: 'waits for approval: 1 of 2', progress: {} },
      approvals: { needed: 2, given: [{ by: 'token:ann', at }] },
      ...{ createdAt: at, updatedAt: at },
    })
    const page = await console_.enter('/rollouts/r-people22')
    await page.getByText('Approvals: 1 of 2').waitFor()
    await page.getByText('token:ann').waitFor()
    await page.getByRole('button', { name: 'Approve' }).click()
    await page.getByText('approved by token:dev').waitFor()
    await page.getByRole('button', { name: 'Approve' }).waitFor({ state: 'detached' })
  })

  it('that has ended tells what it was', async () => {
    const page = await console_.enter('/rollouts/r-stages22')
    await page.getByText('errors at most 1% over 5m: 0.2% of 1240 requests').waitFor()
    await page.getByText('Requests: 1240 served, 2 answered 5xx, 0 lost').waitFor()
    await page.getByText('p99: 80 ms before, 71 ms after').waitFor()
    await page.getByText(/Stood still .*: paused by token:mai/).waitFor()
    expect(await page.getByRole('button', { name: 'Skip stage' }).count()).toBe(0)
  })
})

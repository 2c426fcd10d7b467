import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { ConsoleUnderTest, overflow } from './console-under-test.ts'

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
    const stages = page.locator('section', { has: page.getByRole('heading', { name: 'Stages', exact: true }) })
    await stages.getByText('health for 10s').waitFor()
    expect(await stages.locator('.stage').allTextContents()).toEqual([
      expect.stringMatching(/^canary.*waits/),
      expect.stringMatching(/^halfnot begun/),
      expect.stringMatching(/^allnot begun/),
    ])
    const keys = page.getByRole('region', { name: 'What you can do' })
    await keys.getByRole('button', { name: 'Continue' }).click()
    await stages.getByText('by dev').waitFor()
    await keys.getByRole('button', { name: 'Skip stage' }).click()
    await page.getByRole('dialog').getByText('Skip the stage half?').waitFor()
    await page.getByRole('dialog').getByRole('button', { name: 'Skip stage' }).click()
    await stages.getByText('skipped by dev').waitFor()
    await expect.poll(() => keys.getByRole('button', { name: 'Continue' }).count()).toBe(0)
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
    await page.getByText('ann', { exact: true }).waitFor()
    await page.getByRole('button', { name: 'Approve' }).click()
    await page.getByText('approved by token:dev').waitFor()
    await page.getByRole('button', { name: 'Approve' }).waitFor({ state: 'detached' })
  })

  it('that has ended tells what it was', async () => {
    const page = await console_.enter('/rollouts/r-stages22')
    await page.getByText('errors at most 1% over 5m: 0.2% of 1240 requests').waitFor()
    await page.locator('.gate', { hasText: 'job warm-up' }).getByText('Output').click()
    await page.getByText('cache is warm: 1204 entries').waitFor()
    const figures = page.locator('.receipt-figures .figure')
    await expect
      .poll(() => figures.allTextContents())
      .toEqual(['Served1240', 'Answered 5xx2', 'Lost 0', 'p5012 ms → 11 ms', 'p9980 ms → 71 ms'])
    await page.getByText(/Stood still .*: paused by token:mai/).waitFor()
    expect(await page.getByRole('button', { name: 'Skip stage' }).count()).toBe(0)
  })
})

/** Half of the instances are of v14, one of them does not get on. */
function putHalfWay(id: string): void {
  const { store, simulation } = console_.mock
  simulation.held = true
  const at = Date.now() - 60_000
  store.put('listRollouts', {
    ...{ app: 'shop', pool: 'production', createdBy: 'token:mai', id, reason: 'deploy' },
    ...{ from: 'v13', to: 'v14', state: 'running', message: 'v14: stage 1 of 2 (half) waits' },
    progress: { web: { wanted: 4, newReady: 1, newStarting: 1, oldServing: 2, oldDraining: 0 } },
    stages: [
      { name: 'half', startedAt: at, gates: [] },
      { name: 'all', gates: [] },
    ],
    ...{ createdAt: at, updatedAt: at },
  })
  const crash = { ready: false, restarts: 3, lastExit: { code: 1, outOfMemory: false, at } }
  for (const [n, change] of [
    ['1', { release: 'v14' }],
    ['2', { release: 'v14', ...crash, message: `shop.production.web-2 exited with code 1` }],
    ['3', { release: 'v13' }],
    ['4', { release: 'v13' }],
  ] as const) {
    const instance = store.get('listInstances', `shop.production.web-${n}`)
    if (instance !== undefined) store.put('listInstances', { ...instance, ...change })
  }
}

describe('a rollout under way', () => {
  it('shows each instance where it runs, old and new, requests of both, and what the failing one printed', async () => {
    putHalfWay('r-half2222')
    const page = await console_.enter('/rollouts/r-half2222')
    const cells = page.locator('.cell[aria-label^="web-"]')
    await expect
      .poll(() => cells.evaluateAll((all) => all.map((each) => each.getAttribute('aria-label')).sort()))
      .toEqual([
        ...['web-1: new (v14), Ready', 'web-2: new (v14), Crashing'],
        ...['web-3: old (v13), Ready', 'web-4: old (v13), Ready'],
      ])
    const charts = page.getByRole('region', { name: 'Requests, old and new' })
    await charts.locator('canvas').nth(2).waitFor()
    await charts.getByText('new (v14)').first().waitFor()
    const failing = page.locator('.failing')
    await failing.getByText('exited with code 1').waitFor()
    await failing.locator('.log-tail').waitFor()
    await failing.getByRole('link', { name: 'All its logs' }).click()
    await page.waitForURL('**/instances/shop.production.web-2/logs')
  })

  it('is steered by one key each, which are listed, and not while one types', async () => {
    putHalfWay('r-keys2222')
    const page = await console_.enter('/rollouts/r-keys2222')
    const keys = page.getByRole('region', { name: 'What you can do' })
    await keys.getByRole('button', { name: 'Pause' }).waitFor()
    await page.keyboard.press('/')
    await page
      .getByRole('dialog')
      .getByRole('combobox')
      .or(page.getByRole('dialog').getByRole('searchbox'))
      .first()
      .fill('p')
    await page.keyboard.press('Escape')
    await keys.getByRole('button', { name: 'Pause' }).waitFor()
    await page.keyboard.press('?')
    const here = page.locator('.shortcuts-here')
    await expect
      .poll(async () => (await here.locator('div').allTextContents()).map((each) => each.trim()))
      .toEqual(['pPause', 'sSkip stage', 'aAbort', 'rAbort'])
    await page.keyboard.press('Escape')
    await page.keyboard.press('p')
    await keys.getByRole('button', { name: 'Resume' }).waitFor()
    await page.keyboard.press('p')
    await keys.getByRole('button', { name: 'Pause' }).waitFor()
    await page.keyboard.press('r')
    await page.getByRole('dialog').getByText('goes back to v13').waitFor()
    await page.keyboard.press('Enter')
    await keys.getByRole('button', { name: 'Deploy again v14' }).waitFor()
  })

  it('tells who may only look why the keys do nothing', async () => {
    putHalfWay('r-look2222')
    const page = await console_.enter('/rollouts/r-look2222', { token: 'berth_viewer_token' })
    const keys = page.getByRole('region', { name: 'What you can do' })
    await keys.getByText('Your role may only look; it takes a deployer.').waitFor()
    for (const name of ['Pause', 'Skip stage', 'Abort'])
      expect(await keys.getByRole('button', { name }).isDisabled(), name).toBe(true)
    await page.keyboard.press('a')
    expect(await page.locator('dialog').count()).toBe(0)
  })

  it('has its keys above the navigation of a telephone, in Chinese, and nothing is wider than it', async () => {
    putHalfWay('r-phone222')
    const page = await console_.enter('/rollouts/r-phone222', { width: 390, locale: 'zh-CN' })
    const keys = page.getByRole('region', { name: '可执行的操作' })
    const box = await keys.getByRole('button', { name: '中止' }).boundingBox()
    const navigation = await page.locator('.navigation').boundingBox()
    expect(box?.height).toBeGreaterThanOrEqual(44)
    expect((box?.y ?? 0) + (box?.height ?? 0)).toBeLessThanOrEqual(navigation?.y ?? 0)
    expect(box?.y).toBeGreaterThan(600)
    await page.locator('.chart canvas').first().waitFor()
    await expect.poll(() => overflow(page)).toBe(0)
    // What comes later makes it longer.
    const hidden = async (): Promise<number> => {
      await page.evaluate(() => scrollTo(0, document.body.scrollHeight))
      const last = await page.locator('.page > :last-child').boundingBox()
      return (last?.y ?? 999) + (last?.height ?? 0) - ((await keys.boundingBox())?.y ?? 0)
    }
    await expect.poll(hidden).toBeLessThanOrEqual(0)
  })
})

describe('two releases', () => {
  it('are compared side by side, whichever two the address names', async () => {
    const page = await console_.enter('/apps/shop/-/compare?from=v12&to=v14')
    await page.getByText('Carts keep their order').waitFor()
    await page.getByText('entrypoints.web.cpu').waitFor()
    await page.getByLabel('Before').selectOption('v10')
    await page.waitForURL('**/compare?from=v10&to=v14')
    await expect.poll(() => page.locator('.compare-sides .release').allTextContents()).toEqual(['v10', 'v14'])
    await page.setViewportSize({ width: 390, height: 812 })
    await expect.poll(() => overflow(page)).toBe(0)
  })
})

describe('a release', () => {
  it('begins with a version, what it changes and goes through, and while deploys are frozen with a reason', async () => {
    const { store, simulation } = console_.mock
    simulation.held = false
    const v12 = store.all('listReleases').find(({ app, id }) => app === 'shop' && id === 'v12')
    const rollout = { approvals: 2, stages: [{ name: 'canary', traffic: 50, gates: [{ type: 'person' }] }] }
    if (v12 !== undefined) store.put('listReleases', { ...v12, spec: { ...(v12.spec as object), rollout } })
    const now = Date.now()
    const freeze = { app: 'shop', reason: 'nobody is here', createdAt: now, createdBy: 'token:ann' }
    const when = { type: 'once' as const, from: now, until: now + 3_600_000 }
    store.put('listFreezes', { ...freeze, name: 'holidays', when, until: when.until })
    const page = await console_.enter('/apps/shop/staging')
    await page.getByRole('link', { name: 'Choose a version' }).click()
    await page.locator('.version-choice', { hasText: 'runs here' }).getByText('v13').waitFor()
    await page.locator('.version-choice', { hasText: 'v12' }).click()
    await page.waitForURL('**/apps/shop/staging/deploy?release=v12')
    await page.getByText('2 other people have to say yes before it begins.').waitFor()
    await page.locator('.stage', { hasText: '5 % of requests' }).getByText('a person').waitFor()
    await page.getByText('Carts keep their order').waitFor()
    const places = page.locator('.rehearsal')
    await places
      .locator('.rehearsal-stage', { hasText: 'canary' })
      .getByRole('img', { name: '1 new of web come' })
      .waitFor()
    await places.getByText('When instances that do not serve now will: they count as missing.').waitFor()
    for (const width of [390, 1280]) {
      await page.setViewportSize({ width, height: 812 })
      expect(await overflow(page)).toBe(0)
    }
    const key = page.getByRole('button', { name: 'Deploy v12 to staging' })
    await page.getByText('Deploys are frozen: say why it goes on all the same.').waitFor()
    expect(await key.isDisabled()).toBe(true)
    await page.getByLabel('Deploy all the same, because').fill('payments are down')
    await page.keyboard.press('Escape')
    await page.keyboard.press('d')
    await page.waitForURL('**/rollouts/r-new*')
    store.remove('listFreezes', 'holidays')
  })

  it('of a commit that there is not is refused in its place, and one that runs already changes nothing', async () => {
    const { store } = console_.mock
    for (const { name } of store.all('listFreezes')) store.remove('listFreezes', name)
    const page = await console_.enter('/apps/ledger/production/deploy', { width: 390 })
    await page.getByLabel('Another branch, tag or commit').fill('nonsense')
    await page.getByRole('button', { name: 'Take it' }).click()
    await page.getByText('there is no such branch, tag or commit').waitFor()
    await page.locator('.version-choice', { hasText: 'runs here' }).click()
    await page.getByText('It would change nothing.').waitFor()
    expect(await page.getByRole('button', { name: 'Deploy v3 to production' }).isDisabled()).toBe(true)
    await expect.poll(() => overflow(page)).toBe(0)
  })
})

import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdir, readdir, rename, rm, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout } from 'node:timers/promises'
import { type Browser, type BrowserContext, chromium, type Page } from 'playwright-core'
import { vi } from 'vitest'
import { chromiumArguments, chromiumPath } from '../dev/chromium.ts'
import { MockServer, type MockToken, mockToken } from '../dev/mock-server.ts'
import { expectOneAtLast } from './one-at-last.ts'

const root = join(import.meta.dirname, '..')
const dist = join(root, 'dist')
/** Everything is there at once on an idle machine; on a busy one a browser starts its processes slowly. */
const waitsMs = 45_000
/** For which a page may say something twice while it changes. */
const twiceMs = 10_000
vi.setConfig({ testTimeout: 120_000 })
/**
 * To find tests that take for granted that a page is fast: with `BERTH_TEST_CPU_SLOWDOWN=6` it gets a sixth of its processor. Goes
 * well with `BERTH_MOCK_LATE_MS`, see `dev/late.ts`.
 */
const slowdown = Number(process.env.BERTH_TEST_CPU_SLOWDOWN ?? 1)
/** On the same file system as `dist`, and never committed. */
const underWay = join(root, '../../node_modules/.cache/console')

async function newest(directory: string): Promise<number> {
  const files = await readdir(directory, { recursive: true }).catch(() => [])
  const times = await Promise.all(files.map(async (file) => (await stat(join(directory, file))).mtimeMs))
  return Math.max(0, ...times)
}

async function isCurrent(): Promise<boolean> {
  const built = await stat(join(dist, 'index.html')).catch(() => undefined)
  const sources = await Promise.all(['src', 'public'].map((each) => newest(join(root, each))))
  const configured = (await stat(join(root, 'vite.config.ts'))).mtimeMs
  return built !== undefined && built.mtimeMs > Math.max(configured, ...sources)
}

const buildsWithinMs = 60_000

/** Builds the console when its sources are newer than what was built. Test files run side by side: one builds, the others wait. */
export async function buildConsole(): Promise<void> {
  const lock = join(underWay, 'lock')
  await mkdir(underWay, { recursive: true })
  for (const until = Date.now() + buildsWithinMs; !(await isCurrent()); await setTimeout(50)) {
    if (Date.now() > until) await rm(lock, { recursive: true, force: true })
    const mine = await mkdir(lock).then(
      () => true,
      () => false,
    )
    if (!mine) continue
    try {
      // Whoever had the lock before may have built it since: doing so again would take files away from under tests that use them.
      if (!(await isCurrent())) await build()
      return
    } finally {
      await rm(lock, { recursive: true, force: true })
    }
  }
}

async function build(): Promise<void> {
  const vite = join(root, '../../node_modules/vite/bin/vite.js')
  const out = join(underWay, 'dist')
  // As it ships: a test runner's own environment would make it a development build.
  const env = { ...process.env, NODE_ENV: 'production' }
  const argv = [vite, 'build', root, '--outDir', out, '--emptyOutDir']
  const child = spawn(process.execPath, argv, { stdio: ['ignore', 'ignore', 'pipe'], env })
  let said = ''
  child.stderr.on('data', (chunk) => {
    said += chunk
  })
  const [code] = await once(child, 'close')
  if (code !== 0) throw new Error(`vite build ended with ${code}: ${said}`)
  await rm(dist, { recursive: true, force: true })
  await rename(out, dist)
}

export interface ContextOptions {
  readonly width?: number
  readonly locale?: string
  readonly colorScheme?: 'light' | 'dark'
  readonly token?: MockToken
}

/** The built console with a mock server and a browser. Complaints of any page fail the test that asks for them. */
export class ConsoleUnderTest implements AsyncDisposable {
  readonly mock: MockServer
  readonly complaints: string[] = []
  readonly #browser: Browser
  readonly #contexts: BrowserContext[] = []

  private constructor(mock: MockServer, browser: Browser) {
    this.mock = mock
    this.#browser = browser
  }

  static async start(): Promise<ConsoleUnderTest> {
    await buildConsole()
    const browser = await chromium.launch({ executablePath: chromiumPath(), args: chromiumArguments })
    return new ConsoleUnderTest(await MockServer.start({ dist, stepMs: 120 }), browser)
  }

  async open({ width = 1280, locale = 'en-US', colorScheme = 'light' }: ContextOptions = {}): Promise<Page> {
    const context = await this.#browser.newContext({
      ...{ viewport: { width, height: 812 }, locale, colorScheme },
      // What turns for ever is drawn sixty times a second, by the processor.
      reducedMotion: 'reduce',
    })
    this.#contexts.push(context)
    const page = await context.newPage()
    if (slowdown > 1)
      await (await context.newCDPSession(page)).send('Emulation.setCPUThrottlingRate', { rate: slowdown })
    page.setDefaultTimeout(waitsMs)
    expectOneAtLast(page, twiceMs)
    page.on('console', (message) => message.type() === 'error' && this.complaints.push(message.text()))
    page.on('pageerror', (error) => this.complaints.push(String(error)))
    return page
  }

  /** Logged in, at `path`. */
  async enter(path: string, options?: ContextOptions): Promise<Page> {
    const page = await this.open(options)
    const requests = followRequests(page)
    await page.goto(`${this.mock.url}/login?next=${encodeURIComponent(path)}#token=${options?.token ?? mockToken}`)
    try {
      await page.locator('.page').waitFor()
    } catch (cause) {
      const shown = await page.locator('body').innerHTML()
      const what = { at: page.url(), ...requests, complaints: this.complaints, shown: shown.slice(0, 2_000) }
      throw new Error(`${path} shows no page: ${JSON.stringify(what, undefined, 1)}`, { cause })
    }
    return page
  }

  async closePages(): Promise<void> {
    for (const context of this.#contexts.splice(0)) await context.close()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#browser.close()
    await this.mock[Symbol.asyncDispose]()
  }
}

/** What a page waits for, and what it did not get: for the message of a test that fails. */
function followRequests(page: Page): { readonly open: string[]; readonly failed: string[] } {
  const open: string[] = []
  const failed: string[] = []
  const ended = (url: string): void => void open.splice(open.indexOf(url), 1)
  page.on('request', (request) => void open.push(request.url()))
  page.on('requestfinished', (request) => ended(request.url()))
  page.on('requestfailed', (request) => {
    ended(request.url())
    failed.push(`${request.url()}: ${request.failure()?.errorText}`)
  })
  return { open, failed }
}

/** Pixels by which the page is wider than its window. */
export const overflow = (page: Page): Promise<number> =>
  page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth)

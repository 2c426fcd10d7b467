import { existsSync } from 'node:fs'

const places = [
  '/usr/bin/chromium-headless-shell',
  '/usr/bin/chromium',
  '/usr/bin/google-chrome-stable',
  '/opt/google/chrome/chrome',
]

/** The browser of the tests and pictures: the one that BERTH_CHROMIUM names, Debian's Chromium, or a Chrome. */
export const chromiumPath = (): string =>
  process.env.BERTH_CHROMIUM ?? places.find((path) => existsSync(path)) ?? '/usr/bin/chromium'

/** A browser that keeps to itself. */
export const chromiumArguments = [
  '--headless',
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
]

import { readFileSync } from 'node:fs'
import { join } from 'node:path'

/** Set by the bundler; in source form the version stands in package.json. */
declare const __BERTH_VERSION__: string | undefined

export const version: string =
  typeof __BERTH_VERSION__ === 'string'
    ? __BERTH_VERSION__
    : JSON.parse(readFileSync(join(import.meta.dirname, '..', 'package.json'), 'utf8')).version

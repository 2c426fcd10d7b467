import { createRequire } from 'node:module'
import type { Plugin } from 'esbuild'
import { endpoints } from '../packages/api/src/endpoints.ts'

const require = createRequire(import.meta.url)

/** What one call of the CLI rarely needs, and Node takes milliseconds to load. */
const heavyModules = ['crypto', 'https', 'tls', 'zlib', 'readline', 'readline/promises', 'child_process', 'net', 'dns']

/** Modules of Node's in the bundle are loaded with the first use of what they export, not with the program. */
const lazyModules: Plugin = {
  name: 'lazy modules',
  setup(build) {
    const filter = new RegExp(`^node:(${heavyModules.join('|')})$`)
    build.onResolve({ filter }, ({ path, namespace }) =>
      namespace === 'lazy' ? { path, external: true } : { path, namespace: 'lazy' },
    )
    build.onLoad({ filter, namespace: 'lazy' }, ({ path }) => {
      const names = JSON.stringify(Object.keys(require(path)))
      const getter = `{ enumerable: true, get: () => require('${path}')[name] }`
      return { contents: `for (const name of ${names}) Object.defineProperty(exports, name, ${getter})` }
    })
  },
}

/** A client needs to know where an operation is called, not what its answer looks like: the table goes without its schemas. */
const plainEndpoints: Plugin = {
  name: 'plain endpoints',
  setup(build) {
    build.onLoad({ filter: /packages\/api\/src\/endpoints\.ts$/ }, () => {
      const plain = Object.entries(endpoints).map(([name, { method, path, transport }]) => [
        name,
        { method, path, transport },
      ])
      return { contents: `export const endpoints = ${JSON.stringify(Object.fromEntries(plain))}` }
    })
  },
}

/** Keeps the command line's bundle small, so that it starts in milliseconds. */
export const leanCli: Plugin[] = [lazyModules, plainEndpoints]

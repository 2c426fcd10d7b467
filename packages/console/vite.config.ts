import { globSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { endpoints } from '@berth/api/endpoints'
import react from '@vitejs/plugin-react'
import { build } from 'esbuild'
import { defineConfig, type Plugin } from 'vite'

const api = process.env.BERTH_API ?? 'http://127.0.0.1:7690'

/**
 * The client needs of the table of endpoints only methods and paths, and only of those that some file here names; the server validates. Without the
 * schemas neither they nor the schema library travel to the browser.
 */
function endpointsWithoutSchemas(): Plugin {
  const file = join(import.meta.dirname, '../api/src/endpoints.ts')
  const sources = globSync(join(import.meta.dirname, 'src/**/*.{ts,tsx}')).map((path) => readFileSync(path, 'utf8'))
  const isNamed = (name: string): boolean => sources.some((text) => new RegExp(`\\b${name}\\b`).test(text))
  const lines = Object.entries(endpoints)
    .filter(([name]) => isNamed(name))
    .map(([name, { method, path }]) => `${name} ${method} ${path}`)
  const code = `export const endpoints = Object.fromEntries(${JSON.stringify(lines.join())}.split(',').map((line) => {
    const [name, method, path] = line.split(' ')
    return [name, { method, path }]
  }))`
  return {
    name: 'berth:endpoints-without-schemas',
    enforce: 'pre',
    load: (id) => (id === file ? code : null),
  }
}

/**
 * The terminal comes minified but with the long names of its private properties, a sixth of its size. They are shortened together with
 * those of its add-on, which reaches into it.
 */
function shortPrivateNames(): Plugin {
  const id = '\0berth:terminal'
  return {
    name: 'berth:short-private-names',
    apply: 'build',
    enforce: 'pre',
    resolveId: (source) => (source === '@xterm/xterm' || source === '@xterm/addon-fit' ? id : null),
    load: async (wanted) => {
      if (wanted !== id) return null
      const { outputFiles } = await build({
        stdin: {
          contents: `export { Terminal } from '@xterm/xterm'; export { FitAddon } from '@xterm/addon-fit'`,
          resolveDir: import.meta.dirname,
        },
        bundle: true,
        format: 'esm',
        target: 'es2023',
        minify: true,
        mangleProps: /^_[a-zA-Z]/,
        write: false,
        legalComments: 'inline',
      })
      return outputFiles[0]?.text ?? null
    },
  }
}

/** What ships runs on Preact: the same components, an eighth of the size. `vite` alone, for development, runs on React and its checks. */
const smallReact = {
  react: 'preact/compat',
  'react-dom': 'preact/compat',
  'react/jsx-runtime': 'preact/jsx-runtime',
  'react/jsx-dev-runtime': 'preact/jsx-runtime',
  'react-dom/client': 'preact/compat/client',
}

export default defineConfig(({ command }) => ({
  root: import.meta.dirname,
  base: '/',
  plugins: [react(), endpointsWithoutSchemas(), shortPrivateNames()],
  resolve: {
    alias:
      command === 'build'
        ? Object.entries(smallReact).map(([name, replacement]) => ({ find: new RegExp(`^${name}$`), replacement }))
        : [],
  },
  build: {
    outDir: 'dist',
    emptyOutDir: true,
    target: 'es2023',
    // The server sends `default-src 'self'`: data addresses would be refused.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    chunkSizeWarningLimit: 600,
  },
  server: { host: '127.0.0.1', proxy: { '/v1': { target: api, ws: true } } },
}))

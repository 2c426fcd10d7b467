/**
 * Makes the single executable `dist/berth`: CLI, server, agent, netd, supervisor, console and schemas in one file. The CLI is a small
 * CommonJS script with code cache (it has to start in milliseconds); the other roles are assets, compiled when they are asked for.
 * `--keep-console` takes the console as it was built last; `--version` and `--output` make another one, for tests of upgrades.
 */
import { execFileSync } from 'node:child_process'
import {
  chmodSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { join, relative } from 'node:path'
import { type BuildOptions, build } from 'esbuild'
import { leanCli } from './lean-cli.ts'

const root = join(import.meta.dirname, '..')
const argument = (name: string): string | undefined => {
  const at = process.argv.indexOf(name)
  return at === -1 ? undefined : process.argv[at + 1]
}
const dist = join(root, 'dist')
const work = join(dist, argument('--output') === undefined ? 'bundle' : 'bundle-other')
const version = argument('--version') ?? JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')).version

const shared: BuildOptions = {
  bundle: true,
  platform: 'node',
  target: 'node26',
  format: 'cjs',
  minify: true,
  keepNames: true,
  legalComments: 'none',
  define: {
    __BERTH_VERSION__: JSON.stringify(version),
    'import.meta.dirname': '__dirname',
    'import.meta.url': '__berthUrl',
  },
  banner: { js: 'const __berthUrl = require("node:url").pathToFileURL(__filename).href;' },
  // ssh2 goes without its native parts, which one file cannot hold; it has the same in JavaScript.
  external: ['*.node', 'cpu-features'],
  logLevel: 'warning',
}

/** Asset name → file, for everything below a folder. */
function assetsBelow(dir: string, prefix: string): Record<string, string> {
  const files = readdirSync(dir, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile())
  return Object.fromEntries(
    files.map((entry) => {
      const file = join(entry.parentPath, entry.name)
      return [`${prefix}/${relative(dir, file)}`, file]
    }),
  )
}

async function bundle(): Promise<Record<string, string>> {
  const roles = ['server', 'agent', 'netd', 'supervise', 'store-tool']
  await build({
    ...{ ...shared, entryPoints: [join(root, 'bin/executable.ts')], outfile: join(work, 'berth.cjs') },
    plugins: leanCli,
  })
  for (const role of roles)
    await build({ ...shared, entryPoints: [join(root, `bin/roles/${role}.ts`)], outfile: join(work, `${role}.cjs`) })
  await build({
    ...shared,
    entryPoints: [join(root, 'packages/server/src/store/sqlite/sqlite-worker.ts')],
    outfile: join(work, 'sqlite-worker.cjs'),
  })
  return Object.fromEntries([...roles, 'sqlite-worker'].map((name) => [`roles/${name}.cjs`, join(work, `${name}.cjs`)]))
}

function buildConsole(): Record<string, string> {
  const built = join(root, 'packages/console/dist')
  if (process.argv.includes('--keep-console')) return existsSync(built) ? assetsBelow(built, 'console') : {}
  execFileSync(
    process.execPath,
    [join(root, 'node_modules/vite/bin/vite.js'), 'build', 'packages/console', '--logLevel', 'warn'],
    { cwd: root, stdio: 'inherit' },
  )
  return assetsBelow(join(root, 'packages/console/dist'), 'console')
}

rmSync(work, { recursive: true, force: true })
mkdirSync(work, { recursive: true })
const assets = {
  ...(await bundle()),
  ...buildConsole(),
  ...assetsBelow(join(root, 'levels'), 'levels'),
  ...assetsBelow(join(root, 'packages/agent/src/gateway/lua'), 'agent/gateway/lua'),
  'berth.schema.json': join(root, 'docs/berth.schema.json'),
}
const output = argument('--output') ?? join(dist, 'berth')
// A program that runs cannot be written to, but its name can be given to another.
const built = `${output}.new`
const config = {
  main: join(work, 'berth.cjs'),
  mainFormat: 'commonjs',
  output: built,
  useCodeCache: true,
  // The young generation would grow to 3 × 16 MiB and never be given back: half of what a quiet server or agent held.
  execArgv: ['--max-semi-space-size=2'],
  disableExperimentalSEAWarning: true,
  assets,
}
writeFileSync(join(work, 'sea.json'), JSON.stringify(config, null, 2))
execFileSync(process.execPath, ['--build-sea', join(work, 'sea.json')], {
  cwd: root,
  stdio: ['ignore', 'ignore', 'inherit'],
})
chmodSync(built, 0o755)
renameSync(built, output)
process.stdout.write(
  `${relative(root, output)}: ${(statSync(output).size / 1024 ** 2).toFixed(0)} MiB, ${Object.keys(assets).length} assets\n`,
)

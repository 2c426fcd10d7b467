import { commandLine, type Draft, type DraftBuild, type DraftEntrypoint, findPort, job } from './draft.ts'
import { existing, findHealthPath, has, isRecord, readJson, type SourceFiles } from './source-files.ts'

interface Package {
  readonly name: string | undefined
  readonly main: string | undefined
  readonly node: string | undefined
  readonly scripts: Readonly<Record<string, string>>
  readonly dependencies: ReadonlySet<string>
}

export function detectNode(files: SourceFiles): Draft | undefined {
  const json = readJson(files, 'package.json')
  if (json === undefined) return undefined
  const manifest = readPackage(json)
  const framework = frameworks.find(({ dependency }) => manifest.dependencies.has(dependency))
  const web = webEntrypoint(files, manifest, framework)
  const others = otherEntrypoints(manifest)
  const before = others.filter(({ type }) => type === 'job').map(({ name }) => name)
  return {
    found: `${framework?.title ?? 'Node.js'}, from package.json`,
    ...(manifest.name === undefined ? {} : { name: manifest.name.replace(/^@[^/]*\//, '') }),
    build: nodeBuild(files, manifest),
    entrypoints: [web, ...others],
    ...(before.length === 0 ? {} : { before }),
    notes: web.command === undefined ? [] : noteOfCommand(manifest, framework),
  }
}

function readPackage(json: Readonly<Record<string, unknown>>): Package {
  const text = (value: unknown): string | undefined => (typeof value === 'string' ? value : undefined)
  const record = (value: unknown): Readonly<Record<string, unknown>> => (isRecord(value) ? value : {})
  const scripts = Object.entries(record(json.scripts)).filter((entry): entry is [string, string] => {
    return typeof entry[1] === 'string' && entry[1].trim() !== ''
  })
  return {
    name: text(json.name),
    main: text(json.main),
    node: text(record(json.engines).node),
    scripts: Object.fromEntries(scripts),
    dependencies: new Set([...Object.keys(record(json.dependencies)), ...Object.keys(record(json.devDependencies))]),
  }
}

interface Framework {
  readonly dependency: string
  readonly title: string
  readonly port: number
  /** Without it the start script counts. */
  readonly command?: string
  readonly note?: string
}

const frameworks: readonly Framework[] = [
  { dependency: 'next', title: 'Next.js', port: 3000, command: 'node_modules/.bin/next start' },
  { dependency: 'nuxt', title: 'Nuxt', port: 3000, command: 'node .output/server/index.mjs' },
  { dependency: '@nestjs/core', title: 'NestJS', port: 3000 },
  { dependency: 'express', title: 'Express', port: 3000 },
  { dependency: 'fastify', title: 'Fastify', port: 3000 },
  { dependency: 'koa', title: 'Koa', port: 3000 },
  {
    dependency: 'vite',
    title: 'Vite',
    port: 4173,
    command: 'node_modules/.bin/vite preview --host 0.0.0.0 --port 4173 --strictPort',
    note: 'vite preview serves the built pages; for heavy traffic let a web server do it',
  },
]

const noteOfCommand = (manifest: Package, framework: Framework | undefined): string[] =>
  framework?.note === undefined || manifest.scripts.start !== undefined ? [] : [framework.note]

function nodeBuild(files: SourceFiles, manifest: Package): DraftBuild {
  const version = manifest.node ?? files.read('.nvmrc') ?? files.read('.node-version') ?? ''
  const major = Number(/[0-9]{1,3}/.exec(version)?.[0] ?? 26)
  const run = manifest.scripts.build === undefined ? {} : { run: ['npm run build'] }
  return { base: `node:${major >= 16 ? major : 26}-slim`, ...nodeDependencies(files, manifest), ...run }
}

const installers = [
  { lock: 'package-lock.json', run: 'npm ci' },
  { lock: 'pnpm-lock.yaml', run: 'npm install --global pnpm && pnpm install --frozen-lockfile' },
  { lock: 'yarn.lock', run: 'npm install --global --force yarn && yarn install --frozen-lockfile' },
] as const

function nodeDependencies(files: SourceFiles, manifest: Package) {
  const installer = installers.find(({ lock }) => has(files, lock))
  if (installer === undefined && manifest.dependencies.size === 0) return {}
  const extra = existing(files, '.npmrc', 'pnpm-workspace.yaml', '.yarnrc')
  const run = installer?.run ?? 'npm install'
  const locks = installer === undefined ? [] : [installer.lock]
  return { dependencies: { files: ['package.json', ...locks, ...extra], run } }
}

function webEntrypoint(files: SourceFiles, manifest: Package, framework: Framework | undefined): DraftEntrypoint {
  const { scripts } = manifest
  const main = mainFile(files, manifest)
  const source = main === undefined ? '' : (files.read(main) ?? '')
  const command =
    scripts.start !== undefined && (framework?.command === undefined || framework.dependency === 'vite')
      ? script('start', scripts.start)
      : commandLine(framework?.command ?? `node ${main ?? 'index.js'}`)
  const healthPath = findHealthPath(source)
  const port = findPort(scripts.start ?? '') ?? findPort(source) ?? framework?.port ?? 3000
  return { name: 'web', command, ports: [port], ...(healthPath === undefined ? {} : { healthPath }) }
}

function mainFile(files: SourceFiles, { main, scripts }: Package): string | undefined {
  const started = /^node\s+(?:--\S+\s+)*([\w./-]+)$/.exec(scripts.start ?? '')?.[1]
  const candidates = [started, main, 'server.js', 'index.js', 'app.js', 'src/server.js', 'src/index.js', 'src/main.ts']
  return candidates.find(
    (path): path is string => path !== undefined && isInside(path) && has(files, path.replace(/^\.\//, '')),
  )
}

const isInside = (path: string): boolean => !path.startsWith('/') && !path.split('/').includes('..')

/** `node …` is run directly, since npm in between keeps signals from the program; other programs need npm to be found. */
function script(name: string, line: string): readonly string[] {
  const words = commandLine(line)
  return words[0] === 'node' ? words : ['npm', 'run', name]
}

function otherEntrypoints({ scripts }: Package): DraftEntrypoint[] {
  const others: DraftEntrypoint[] = []
  if (scripts.worker !== undefined) others.push({ name: 'worker', command: script('worker', scripts.worker) })
  for (const name of ['migrate', 'db:migrate']) {
    if (scripts[name] === undefined) continue
    others.push({
      ...job('migrate', 'true', 'Runs to its end before each rollout.'),
      command: script(name, scripts[name]),
    })
    break
  }
  return others
}

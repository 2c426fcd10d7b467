import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { initSpec, type SourceFiles } from './init.ts'
import { parseSpec } from './parse-spec.ts'

const repository = (files: Readonly<Record<string, string>>): SourceFiles => ({
  read: (path) => (Object.hasOwn(files, path) ? files[path] : undefined),
  list: (folder) => {
    const prefix = folder === '' ? '' : `${folder}/`
    const inside = Object.keys(files).filter((path) => path.startsWith(prefix))
    return [...new Set(inside.map((path) => path.slice(prefix.length).split('/')[0]!))]
  },
})

const init = (files: Readonly<Record<string, string>>, folder = 'shop') => {
  const result = initSpec(repository(files), { folder })
  const { spec, problems } = parseSpec(result.yaml)
  expect({ problems, yaml: result.yaml }).toEqual({ problems: [], yaml: result.yaml })
  return { ...result, spec: spec! }
}

/** What of the result is worth a look: `web: node server.js :3000 /healthz`. */
const summary = (files: Readonly<Record<string, string>>): string[] => {
  const { spec, found } = init(files)
  const { build } = spec
  const base = build.type === 'chain' ? build.base : build.type === 'dockerfile' ? build.dockerfile : build.image
  const steps = build.type === 'chain' ? [...build.dependencyFiles, ...build.dependencyRun, ...build.run] : []
  return [
    found,
    [base, ...steps].join(' | '),
    ...Object.entries(spec.entrypoints).map(([name, { type, command, ports, health }]) => {
      const check = health.readiness?.check
      const parts = [
        command.join(' '),
        ...ports.map(({ port }) => `:${port}`),
        check?.type === 'http' ? check.path : '',
      ]
      return `${name}${type === 'job' ? ' (job)' : ''}: ${parts.filter((part) => part !== '').join(' ')}`
    }),
    ...(spec.rollout.before.length === 0 ? [] : [`before: ${spec.rollout.before}`]),
    ...spec.routes.map(({ host }) => host),
  ]
}

const json = (value: unknown): string => JSON.stringify(value)

describe('recognises', () => {
  const cases: [string, Record<string, string>, string[]][] = [
    [
      'Express with migrations and a worker',
      {
        'package.json': json({
          name: '@acme/web_shop',
          engines: { node: '>=22.1' },
          scripts: {
            start: 'node src/server.js',
            build: 'tsc',
            worker: 'node src/worker.js',
            migrate: 'knex migrate:latest',
          },
          dependencies: { express: '5' },
        }),
        'package-lock.json': '{}',
        'src/server.js': "app.get('/healthz', ok); app.listen(process.env.PORT ?? 4000)",
      },
      [
        'Express, from package.json',
        'node:22-slim | package-lock.json | package.json | npm ci | npm run build',
        'web: node src/server.js :4000 /healthz',
        'worker: node src/worker.js',
        'migrate (job): npm run migrate',
        'before: migrate',
        'web-shop.localhost',
      ],
    ],
    [
      'Next.js with pnpm',
      {
        'package.json': json({ scripts: { build: 'next build', start: 'next start' }, dependencies: { next: '15' } }),
        'pnpm-lock.yaml': '',
      },
      [
        'Next.js, from package.json',
        'node:26-slim | package.json | pnpm-lock.yaml | npm install --global pnpm && pnpm install --frozen-lockfile | npm run build',
        'web: node_modules/.bin/next start :3000',
        'shop.localhost',
      ],
    ],
    [
      'Vite with yarn',
      { 'package.json': json({ scripts: { build: 'vite build' }, devDependencies: { vite: '8' } }), 'yarn.lock': '' },
      [
        'Vite, from package.json',
        'node:26-slim | package.json | yarn.lock | npm install --global --force yarn && yarn install --frozen-lockfile | npm run build',
        'web: node_modules/.bin/vite preview --host 0.0.0.0 --port 4173 --strictPort :4173',
        'shop.localhost',
      ],
    ],
    [
      'plain Node.js',
      { 'package.json': '{}', 'index.js': 'http.createServer().listen(8123)', '.nvmrc': 'v24\n' },
      ['Node.js, from package.json', 'node:24-slim', 'web: node index.js :8123', 'shop.localhost'],
    ],
    [
      'a start script that needs a shell',
      { 'package.json': json({ scripts: { start: 'NODE_ENV=production node x.js && true' } }) },
      ['Node.js, from package.json', 'node:26-slim', 'web: npm run start :3000', 'shop.localhost'],
    ],
    [
      'a Dockerfile before anything else',
      {
        'package.json': json({ scripts: { start: 'node x' } }),
        Dockerfile: `FROM golang AS build\nEXPOSE 1\n# EXPOSE 2\nFROM alpine\nENV PORT=9000\nEXPOSE \${PORT} 9100/tcp 53/udp\nHEALTHCHECK --interval=5s \\\n  CMD curl -f http://localhost:9000/health || exit 1\nCMD ["server"]\n`,
      },
      ['an image of its own, from Dockerfile', 'Dockerfile', 'web: :9000 :9100 /health', 'shop.localhost'],
    ],
    [
      'a Dockerfile without ports',
      { Dockerfile: 'FROM scratch\n' },
      ['an image of its own, from Dockerfile', 'Dockerfile', 'web: '],
    ],
    [
      'FastAPI',
      {
        'requirements.txt': 'fastapi==0.1\nuvicorn\n',
        'app/main.py': 'api = FastAPI()\n@api.get("/health")',
        '.python-version': '3.12.1',
      },
      [
        'FastAPI, from requirements.txt',
        'python:3.12-slim | requirements.txt | pip install --no-cache-dir -r requirements.txt',
        'web: uvicorn app.main:api --host 0.0.0.0 --port 8000 :8000 /health',
        'shop.localhost',
      ],
    ],
    [
      'Flask in a pyproject',
      {
        'pyproject.toml': 'requires-python = ">=3.11"\ndependencies = ["Flask", "gunicorn"]',
        'app.py': 'app = Flask(__name__)',
      },
      [
        'Flask, from pyproject.toml',
        'python:3.11-slim | pip install --no-cache-dir .',
        'web: gunicorn app:app --bind 0.0.0.0:8000 :8000',
        'shop.localhost',
      ],
    ],
    [
      'Django with uv',
      {
        'pyproject.toml': '[project]\ndependencies = ["django", "gunicorn"]',
        'uv.lock': '',
        'manage.py': '',
        'site/wsgi.py': '',
      },
      [
        'Django, from pyproject.toml',
        'python:3.13-slim | pyproject.toml | uv.lock | pip install --no-cache-dir uv && uv sync --frozen --no-install-project',
        'web: uv run gunicorn site.wsgi --bind 0.0.0.0:8000 :8000',
        'migrate (job): uv run python manage.py migrate --noinput',
        'before: migrate',
        'shop.localhost',
      ],
    ],
    [
      'a Python script',
      { 'requirements.txt': 'requests', 'main.py': 'while True: pass' },
      [
        'Python, from requirements.txt',
        'python:3.13-slim | requirements.txt | pip install --no-cache-dir -r requirements.txt',
        'worker: python main.py',
      ],
    ],
    [
      'Go',
      {
        'go.mod': 'module example.com/acme/orders\n\ngo 1.24.1\n',
        'go.sum': '',
        'cmd/api/main.go': 'http.ListenAndServe(":8081", nil)',
      },
      [
        'Go, from go.mod',
        'golang:1.24 | go.mod | go.sum | go mod download | go build -o /usr/local/bin/server ./cmd/api',
        'web: /usr/local/bin/server :8081',
        'orders.localhost',
      ],
    ],
    [
      'Rails',
      { Gemfile: 'ruby "3.3.4"\ngem "rails", "~> 8"\n', 'Gemfile.lock': '' },
      [
        'Rails, from Gemfile',
        'ruby:3.3 | Gemfile | Gemfile.lock | bundle install',
        'web: bundle exec rails server --binding 0.0.0.0 --port 3000 :3000 /up',
        'migrate (job): bundle exec rails db:migrate',
        'before: migrate',
        'shop.localhost',
      ],
    ],
    [
      'Spring Boot',
      {
        'pom.xml':
          '<project><parent><artifactId>spring-boot-starter-parent</artifactId></parent><artifactId>billing</artifactId><java.version>17</java.version><x>spring-boot-starter-actuator</x></project>',
      },
      [
        'Spring Boot, from pom.xml',
        'maven:3-eclipse-temurin-17 | pom.xml | mvn --batch-mode --quiet dependency:go-offline | mvn --batch-mode --quiet package -DskipTests',
        'web: sh -c exec java -jar target/*.jar :8080 /actuator/health',
        'billing.localhost',
      ],
    ],
    [
      'static pages',
      { 'public/index.html': '<h1>' },
      [
        'static pages, from public/index.html',
        'busybox:1.37',
        'web: busybox httpd -f -p 8080 -h /app/public :8080',
        'shop.localhost',
      ],
    ],
    [
      'a Procfile on top',
      {
        'requirements.txt': 'flask',
        'app.py': '',
        Procfile: 'web: gunicorn app:app --bind 0.0.0.0:$PORT\nworker_2: rq worker\nrelease: ./migrate\n',
      },
      [
        'Flask, from requirements.txt, and Procfile',
        'python:3.13-slim | requirements.txt | pip install --no-cache-dir -r requirements.txt',
        'web: sh -c gunicorn app:app --bind 0.0.0.0:$PORT :8000',
        'worker2: rq worker',
        'release (job): ./migrate',
        'before: release',
        'shop.localhost',
      ],
    ],
    [
      'a compose file',
      {
        'compose.yaml':
          'services:\n  web:\n    build: {context: ., dockerfile: docker/Dockerfile}\n    ports: ["127.0.0.1:80:3000", {target: 3001}]\n    environment: {LOG: info, DB_PASSWORD: x, URL: $URL}\n  worker: {build: {context: ., dockerfile: docker/Dockerfile}, command: node worker.js}\n  db: {image: "postgres:17"}\n  other: {build: ./other}\n',
        'docker/Dockerfile': 'FROM node\nEXPOSE 3000\nCMD node x\n',
      },
      [
        'an image of its own, from docker/Dockerfile and compose.yaml',
        'docker/Dockerfile',
        'web: :3000 :3001',
        'worker: node worker.js',
        'shop.localhost',
      ],
    ],
    [
      'nothing',
      {},
      [
        'nothing that is known, so this is an example',
        'busybox:1.37',
        'web: busybox httpd -f -p 8080 -h /app :8080',
        'shop.localhost',
      ],
    ],
  ]
  it.each(cases)('%s', (_what, files, expected) => expect(summary(files)).toEqual(expected))
})

it('copies plain values of a compose file, and no secret', () => {
  const { spec, yaml, notes } = init({
    'docker-compose.yml':
      'services:\n  web:\n    build: .\n    environment:\n      - LOG=a=b\n      - API_TOKEN=hunter2\n      - FROM_OUTSIDE\n      - N=$X\n',
    Dockerfile: 'FROM node\nCMD node x',
  })
  expect(spec.entrypoints.web?.env).toEqual({ LOG: 'a=b', FROM_OUTSIDE: '' })
  expect(yaml).not.toContain('hunter2')
  expect(notes.join()).toContain('API_TOKEN with `berth secret set`')
})

it('says what it made of a compose file also when nothing of it could be taken over', () => {
  const images = { 'docker-compose.yml': 'services:\n  db: {image: "postgres:17"}\n' }
  expect(init(images).notes).toEqual(
    expect.arrayContaining([
      'docker-compose.yml was read; none of its services is built here',
      'db (postgres:17) is not built here: deploy it as an app of its own and reach it with `bind`',
    ]),
  )
  const built = { 'docker-compose.yml': 'services:\n  web: {build: .}\n  worker: {build: .}\n' }
  expect(init(built).notes).toContain(
    'docker-compose.yml builds web, worker from Dockerfile, which is not there: nothing of it was taken over',
  )
})

it('writes comments, and the schema for editors where it is known', () => {
  const { yaml } = initSpec(repository({}), { folder: 'My Shop', schema: './berth.schema.json' })
  expect(yaml).toMatch(/^# yaml-language-server: \$schema=\.\/berth\.schema\.json\n/)
  expect(yaml).toContain('app: my-shop')
  expect(yaml.match(/^# /gm)!.length).toBeGreaterThan(6)
})

it.each(['null', 'true', 'yes', '123', '$$', 'a'.repeat(100)])('an app called %s', (folder) => {
  expect(init({}, folder).spec.app).toMatch(/^[a-z]/)
})

it('always writes what is valid, whatever the files hold', () => {
  const line = fc.oneof(
    fc.string({ unit: 'binary', maxLength: 30 }),
    fc.constantFrom(
      'web: ',
      'EXPOSE ',
      'FROM x',
      'CMD a',
      'HEALTHCHECK CMD curl http://localhost/',
      'services:',
      '  null:',
      '    build: .',
    ),
    fc.constantFrom(
      '    command: "a\\nb"',
      '    environment: [A=1]',
      '    ports: [80, "1:2", x]',
      'rails',
      'gem "rails"',
      'listen(0)',
    ),
  )
  const text = fc.array(line, { maxLength: 8 }).map((lines) => lines.join('\n'))
  const manifest = fc
    .record({
      name: fc.string(),
      main: fc.string(),
      scripts: fc.dictionary(fc.constantFrom('start', 'worker', 'migrate', 'build'), text),
    })
    .map(json)
  const names = [
    'Dockerfile',
    'Procfile',
    'compose.yaml',
    'requirements.txt',
    'main.py',
    'go.mod',
    'main.go',
    'Gemfile',
    'pom.xml',
    'index.js',
  ]
  fc.assert(
    fc.property(
      fc.dictionary(fc.constantFrom(...names), text),
      fc.option(manifest),
      fc.string({ unit: 'binary' }),
      (files, packageJson, folder) => {
        init(packageJson === null ? files : { ...files, 'package.json': packageJson }, folder)
      },
    ),
    { numRuns: 500 },
  )
})

import fc from 'fast-check'
import type { EntrypointDocument, PlacementDocument, SpecDocument } from './spec-document.ts'

/** Documents that mean something, in the many ways that they can be written. */
const name = fc.stringMatching(/^[a-z]([a-z0-9]{0,6}[a-z])?$/)
const variable = fc.stringMatching(/^[A-Z][A-Z0-9_]{0,6}$/).filter((text) => !text.startsWith('BERTH_'))
const text = fc.string({ maxLength: 12 })
const word = fc.stringMatching(/^[A-Za-z0-9./_-]{1,10}$/)
const cpu = fc.integer({ min: 1, max: 99_999 }).map((milli) => (milli / 1000).toFixed(3))
const size = fc.constantFrom('64Mi', '1.5Gi', '100M', '90000000B', '2GiB')
const duration = fc.constantFrom('0', '1s', '90s', '1m30s', '1500ms', '2h')
const longer = fc.constantFrom('1s', '90s', '1.5m', '2h')
const scalar = fc.oneof(text, fc.integer(), fc.boolean())

const partly = <T>(shape: { [K in keyof T]: fc.Arbitrary<T[K]> }) => fc.record(shape, { requiredKeys: [] })
const unique = <T>(item: fc.Arbitrary<T>, key: (item: T) => unknown, maxLength = 3) =>
  fc.uniqueArray(item, { selector: key, maxLength })

const variables = fc.dictionary(variable, scalar, { maxKeys: 3 })
const resources = {
  cpu: fc.oneof(cpu, fc.integer({ min: 1, max: 64 })),
  memory: size,
  disk: size,
  burst: fc.constantFrom('share', 'quota'),
  bandwidth: partly({
    in: fc.constantFrom('200Mbit', '1.5Gbit'),
    out: fc.constantFrom('100Mbit', '250000kbit'),
    guaranteed: partly({ in: fc.constantFrom('50Mbit', '200Mbit'), out: fc.constantFrom('100Mbit', '1.5Mbit') }),
  }),
  resources: fc.dictionary(
    name.map((each) => `x${each}`),
    fc.constantFrom<string | number>(1, 4, '10G', '2Ki'),
    { maxKeys: 2 },
  ),
}

const requirement = fc.constantFrom('site = bj', 'disk in (ssd, nvme)', ' !spot ', 'kernel  >=  6.1', 'kind')
const peer = fc
  .tuple(name, name)
  .chain(([app, entrypoint]) =>
    fc.constantFrom(`x${app}/${entrypoint}`, `x${app}/*`, { to: `x${app}/${entrypoint}`, soft: true, over: 'rack' }),
  )
const peerName = (each: string | { to: string }): string => (typeof each === 'string' ? each : each.to)

const placement = partly<PlacementDocument>({
  group: name,
  strategy: fc.constantFrom<NonNullable<PlacementDocument['strategy']>>('spread', 'pack', 'drain-first', 'balance', {
    fill: 3,
  }),
  where: fc.oneof(requirement, fc.array(requirement, { maxLength: 3 })),
  prefer: unique(
    fc.oneof(requirement, fc.record({ where: requirement, weight: fc.integer({ min: 1, max: 100 }) })),
    (each) => (typeof each === 'string' ? each : each.where),
  ),
  apart: unique(peer, peerName),
  spread: fc.constantFrom({ over: 'site' }, { over: 'site', shares: { bj: '70%', cloud: '30%' } }),
  max: partly({ node: fc.integer({ min: 3, max: 9 }), site: fc.integer({ min: 1, max: 9 }) }),
  tolerate: fc.oneof(fc.constant('gpu'), fc.subarray(['gpu', 'dedicated=ml', 'spot='])),
})

const scheduling = {
  placement,
  priority: fc.integer({ min: -1000, max: 1000 }),
  preempt: fc.boolean(),
  preemptible: fc.boolean(),
  gang: fc.boolean(),
}

const schedule = fc.oneof(
  fc.constantFrom('@daily', '0 3 * * *', '*/5 8-18 * jan-mar mon,FRI'),
  fc.record(
    {
      cron: fc.constantFrom('@hourly', '30  4 1 * *'),
      zone: fc.constantFrom('Europe/Berlin', 'UTC'),
      overlap: fc.constantFrom('skip', 'replace', 'allow'),
      history: fc.integer({ min: 1, max: 9 }),
      grace: duration,
    },
    { requiredKeys: ['cron'] },
  ),
)

/** By name or as a list; the numbers differ, as they must. */
const ports = unique(fc.integer({ min: 1, max: 65_535 }), (port) => port).chain((numbers) =>
  fc.oneof(
    fc.constant(numbers),
    fc.constant(numbers.map((port, index) => (index === 0 ? port : `${port}/udp`))),
    unique(name, (each) => each, numbers.length).map((names) =>
      Object.fromEntries(names.map((each, index) => [each, { port: numbers[index] ?? 1, protocol: 'tcp' as const }])),
    ),
  ),
)

const command = fc.oneof(word, fc.array(word, { minLength: 1, maxLength: 3 }))
const timing = { delay: duration, interval: longer, timeout: longer, successes: fc.integer({ min: 1, max: 9 }) }
const path = fc.stringMatching(/^(\/[a-z]{1,6}){1,2}$/)

const shared = partly<EntrypointDocument>({
  command,
  ...resources,
  ports,
  env: variables,
  secrets: unique(name, (each) => each),
  config: fc.dictionary(
    path.map((each) => `/etc${each}`),
    fc.oneof(
      text,
      text.map((content) => ({ content, mode: '0640' })),
    ),
    { maxKeys: 2 },
  ),
  bind: unique(
    fc.tuple(name, name).map(([app, entrypoint]) => ({ to: `x${app}/${entrypoint}`, as: entrypoint.toUpperCase() })),
    (each) => each.as,
  ),
  volumes: unique(
    fc.oneof(
      fc.record({ name, path }),
      fc.record({ host: path, path, readOnly: fc.boolean() }),
      fc.record({ tmpfs: size, path }),
    ),
    (each) => each.path,
  ).map((list) => list.map((volume) => ({ ...volume, path: `/srv${volume.path}` }))),
  ulimits: fc.constantFrom({}, { nofile: 1024 }, { nproc: { soft: 10, hard: -1 }, nofile: -1 }),
  user: fc.constantFrom<string | number>('node', 1000, '1000:1000'),
  workingDirectory: path,
  capabilities: fc.subarray(['NET_ADMIN', 'cap_chown', 'SYS_NICE']),
  profiles: fc.oneof(fc.constantFrom('db', 'Calico_1'), fc.subarray(['db', 'web', 'a.b'])),
  searchDomains: fc.oneof(fc.constantFrom('corp.example', 'none'), fc.subarray(['lab', 'tools.berth', 'corp.example'])),
  network: fc.constantFrom('cluster'),
  init: fc.boolean(),
  socket: fc.constant(true),
  hooks: partly({ afterStart: command, beforeStop: fc.record({ command, timeout: longer }) }),
  stop: partly({ signal: fc.constantFrom('SIGQUIT', 'int'), grace: duration }),
  labels: fc.dictionary(name, scalar, { maxKeys: 2 }),
  logs: partly({ maxSize: size, maxFiles: fc.integer({ min: 1, max: 9 }) }),
  ...scheduling,
})

const service = fc
  .tuple(
    shared,
    partly<EntrypointDocument>({
      replicas: fc.nat(100),
      health: fc.oneof(
        fc.constant({ readiness: 'none' as const }),
        fc.constant({ readiness: 'report' as const }),
        fc.record({ liveness: fc.record({ exec: command, ...timing }) }),
        fc.record({ readiness: fc.record({ exec: command, ...timing }) }),
      ),
      restart: fc.constantFrom('always', 'on-failure', 'never'),
      drain: duration,
      readyTimeout: longer,
    }),
  )
  .map(([a, b]): EntrypointDocument => ({ ...a, ...b }))

const job = fc
  .tuple(
    shared,
    partly<EntrypointDocument>({ timeout: duration, restart: fc.constantFrom('on-failure', 'never'), schedule }),
  )
  .map(([a, b]): EntrypointDocument => ({ ...a, ...b, type: 'job' }))

const build = fc.oneof(
  fc.record({ image: fc.constantFrom('node:26', 'registry.example.com:5000/a/b@sha256:'.concat('a'.repeat(64))) }),
  fc.record({
    build: fc.record(
      {
        base: fc.constantFrom('node:26-slim', 'base', 'scratch'),
        runtimes: fc.oneof(name, fc.array(name, { maxLength: 2 })),
        run: fc.oneof(word, fc.array(word, { maxLength: 2 })),
        dependencies: fc.record({ files: fc.array(word.map((each) => `a/${each.replaceAll('.', '')}x`)), run: word }),
        args: variables,
        limits: partly({ cpu, memory: size, timeout: longer, network: fc.constantFrom('none', 'host') }),
      },
      { requiredKeys: ['base'] },
    ),
  }),
  fc.record({ build: fc.record({ dockerfile: fc.constantFrom('Dockerfile', './a//Dockerfile'), target: word }) }),
)

/** An image of the chain has no command of its own. */
const withCommands = (needed: boolean, entrypoints: Readonly<Record<string, EntrypointDocument | null>>) =>
  needed
    ? Object.fromEntries(Object.entries(entrypoints).map(([key, each]) => [key, { command: 'run', ...each }]))
    : entrypoints

export const validDocument: fc.Arbitrary<SpecDocument> = fc
  .tuple(
    fc.record({
      // Never the app that is bound to, whose entrypoints are unknown.
      app: name.map((each) => `a${each}`),
      entrypoints: fc.dictionary(name, fc.oneof(fc.constant(null), service), { minKeys: 1, maxKeys: 3 }),
      jobs: fc.dictionary(
        name.map((each) => `job${each}`),
        job,
        { maxKeys: 2 },
      ),
      rollout: partly({
        surge: fc.oneof(fc.integer({ min: 1, max: 3 }), fc.constantFrom('1%', '25%', '100%')),
        unavailable: fc.oneof(fc.nat(3), fc.constantFrom('0%', '50%')),
        settle: duration,
        approvals: fc.nat(3),
        strategy: fc.constantFrom('rolling', 'canary', 'recreate'),
        stages: fc.constantFrom(
          [],
          [{}],
          [
            { instances: 1, gates: ['person', { health: '5m' }] },
            { instances: '50%', name: 'half' },
          ],
          [{ name: 'one', gates: [{ person: true }] }],
          [{ traffic: { from: '0%', to: '50%', over: '10m' } }],
          [{ sites: ['paris', 'lyon'], gates: ['person'] }, { entrypoints: ['routed'] }, { sites: ['rome'] }],
          [{ before: [{ url: 'https://ci.example/hook?a=b', timeout: '20s' }], after: [] }],
          [
            {
              traffic: '2.5%',
              gates: [
                { errors: '0.5%', over: '1m' },
                { p99: '300ms', requests: 5 },
              ],
            },
          ],
          [
            {
              instances: 2,
              traffic: '0%',
              gates: [
                { lost: 0, onNoData: 'rollback' },
                { query: 'up', above: '0.5' },
              ],
            },
          ],
        ),
      }),
      hosts: unique(fc.constantFrom('a.example.com/x', 'B.example.com', '*', '*.example.com/y/z/'), (host) => host),
      environments: fc.dictionary(
        name,
        partly({
          env: variables,
          routes: fc.constant([]),
          rollout: fc.constantFrom(
            { surge: 2 },
            { approvals: 2 },
            { approvals: 0 },
            { stages: [] },
            { unavailable: '10%', stages: [{ instances: 1 }] },
          ),
        }),
        { maxKeys: 2 },
      ),
    }),
    build,
  )
  .map(([{ app, entrypoints, jobs, rollout, hosts, environments }, image]) => ({
    app,
    ...image,
    entrypoints: withCommands('build' in image && 'base' in image.build, {
      ...entrypoints,
      routed: { ports: [8080] },
      ...jobs,
    }),
    routes: hosts,
    rollout: { ...rollout, before: Object.keys(jobs) },
    test: Object.keys(jobs).toReversed(),
    environments: Object.fromEntries(
      Object.entries(environments).map(([key, value]) => [
        key,
        {
          ...value,
          entrypoints: { routed: { replicas: 2, env: { A: 1 }, placement: { strategy: 'pack', where: [] } } },
        },
      ]),
    ),
  }))

import { validDocument } from '@berth/core/spec/spec-document.testing'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { stringify } from 'yaml'
import { maxSpecBytes, parseSpec } from './parse-spec.ts'
import { renderSpec } from './render-spec.ts'

const problemsOf = (text: string): string[] =>
  parseSpec(text).problems.map(
    ({ line, column, path, message, suggestion }) =>
      `${line}:${column} ${path === '' ? '' : `${path}: `}${message}${suggestion === undefined ? '' : ` [${suggestion}]`}`,
  )

const specOf = (text: string) => {
  const { spec, problems } = parseSpec(text)
  expect(problems).toEqual([])
  return spec!
}

/** `web` with these lines, from line 4 on and indented by four. */
const web = (...lines: string[]): string =>
  ['app: shop', 'image: shop:1', 'entrypoints:', '  web:', ...lines.map((line) => `    ${line}`), ''].join('\n')

describe('numbers are taken as they stand in the file', () => {
  it.each([
    ['0.29', 290],
    ['1.30', 1300],
    ['2', 2000],
    ['"1.3"', 1300],
  ])('cpu: %s', (text, milli) => {
    expect(specOf(web(`cpu: ${text}`)).entrypoints.web?.resources.cpuMilli).toBe(milli)
  })

  it('also in the environment', () => {
    const text = web(
      'env: {A: 0.10, B: 007, C: 0x1F, D: 1e3, E: True, F: true, G: 12345678901234567890, H: "", I: 1_000}',
    )
    expect(specOf(text).entrypoints.web?.env).toEqual({
      ...{
        A: '0.10',
        B: '007',
        C: '0x1F',
        D: '1e3',
        E: 'True',
        F: 'true',
        G: '12345678901234567890',
        H: '',
        I: '1_000',
      },
    })
  })

  it('and as file modes', () => {
    expect(specOf(web('config: {/a: {content: x, mode: 0640}}')).entrypoints.web?.config[0]?.mode).toBe(0o640)
  })
})

describe('anchors', () => {
  it('and merge keys work, and what is said next to them goes first', () => {
    const text = `app: shop
image: shop:1
x-env: &env {A: base, B: base}
entrypoints:
  web: &web
    ports: [8080]
    env: {<<: *env, B: own}
  other:
    <<: [*web, {ports: [1], drain: 5s}]
    env: *env
`
    const { entrypoints } = specOf(text)
    expect(entrypoints.web?.env).toEqual({ A: 'base', B: 'own' })
    expect(entrypoints.other).toMatchObject({ env: { A: 'base', B: 'base' }, drainMs: 5000, ports: [{ port: 8080 }] })
  })

  it('are complained about once, where they stand', () => {
    const text = `app: shop
image: shop:1
entrypoints:
  web: &web {replcas: 1}
  other: *web
`
    expect(problemsOf(text)).toEqual(['4:14 entrypoints.web.replcas: unknown key "replcas" [did you mean "replicas"?]'])
  })

  it('cannot blow up', () => {
    const rows = Array.from({ length: 20 }, (_, row) => `x-${row + 1}: &a${row + 1} [${`*a${row}, `.repeat(10)}]`)
    expect(problemsOf(['x-0: &a0 [1]', ...rows].join('\n'))[0]).toContain('more than 20000 values')
  })

  it('cannot stand inside of themselves', () => {
    expect(problemsOf(`${web('env: &a {A: *a}')}`)[0]).toBe('5:17 the alias *a stands inside of what it stands for')
  })
})

const cases: readonly (readonly [what: string, text: string, problems: readonly string[]])[] = [
  ['an empty file', '', ['1:1 the file is empty [run `berth init` to have one written]']],
  ['comments only', '# x\n---\n', ['1:1 the file is empty [run `berth init` to have one written]']],
  ['a list', '- a\n', ['1:1 expected a map, not a list']],
  ['a word', 'hello', ['1:1 expected a map, not the text "hello"']],
  ['a tab', 'app: shop\n\timage: x\n', ['2:1 a tab cannot indent [indent with spaces]']],
  ['two documents', `${web()}---\napp: x\n`, ['5:1 a second document starts here [keep one document in a file]']],
  ['an open list', 'app: shop\nimage: [x\n', ['3:1 a [ before this is never closed']],
  ['a double key', `${web()}app: x\n`, ['5:1 the key "app" is given twice (first on line 1)']],
  ['an unknown tag', web('user: !secret x'), ['5:11 Unresolved tag: !secret']],
  ['an alias to nothing', web('env: {A: *nothing}'), ['5:14 no anchor &nothing comes before this alias']],
  ['a list as key', web('env: {[a]: 1}'), ['5:11 a key has to be a word [write `key: value`]']],
  ['a merge of a word', web('<<: x'), ['5:9 `<<` merges maps only']],
  ['a prototype', web('env: {__proto__: x}'), ['5:11 "__proto__" cannot be a key']],
  ['an unknown key', web('comand: x'), ['5:5 entrypoints.web.comand: unknown key "comand" [did you mean "command"?]']],
  [
    'a key of elsewhere',
    web('mem_limit: 1g', 'healthcheck: {}'),
    [
      '5:5 entrypoints.web.mem_limit: unknown key "mem_limit" [it is called `memory` here]',
      '6:5 entrypoints.web.healthcheck: unknown key "healthcheck" [it is called `health.readiness` here]',
    ],
  ],
  [
    'a key of entrypoints at the top',
    `${web()}ports: [80]\n`,
    ['5:1 ports: unknown key "ports" [it belongs to an entrypoint: entrypoints.NAME.ports]'],
  ],
  [
    'a quoted number',
    web('replicas: "3"'),
    ['5:15 entrypoints.web.replicas: expected a whole number, not the text "3" [write 3 without quotes]'],
  ],
  ['a broken number', web('replicas: 1.5'), ['5:15 entrypoints.web.replicas: expected a whole number, not 1.5']],
  [
    'a word for a flag',
    web('init: yes'),
    ['5:11 entrypoints.web.init: expected true or false, not the text "yes" [write true]'],
  ],
  [
    'nothing',
    web('command:'),
    ['5:5 entrypoints.web.command: the value is missing [give it text or a list, or leave the key out]'],
  ],
  [
    'a word for a choice',
    web('restart: allways'),
    [
      '5:14 entrypoints.web.restart: expected always, on-failure or never, not the text "allways" [did you mean "always"?]',
    ],
  ],
  [
    'a word for a map',
    web('stop: 10s'),
    ['5:11 entrypoints.web.stop: expected a map, not the text "10s" [write `key: value` with some of signal, grace]'],
  ],
  [
    'a number for a list',
    web('ports: 8080'),
    ['5:12 entrypoints.web.ports: expected a list or a map, not 8080 [write [8080]]'],
  ],
  [
    'a flag for a text',
    'app: true\nimage: a:b\nentrypoints: {web: {}}',
    ['1:6 app: expected text, not true [write "true"]'],
  ],
  [
    'a bad item in a list of several kinds',
    web('ports: [8080, {prot: udp, port: 53}, [1]]'),
    [
      '5:20 entrypoints.web.ports[1].prot: unknown key "prot" [did you mean "port"?]',
      '5:42 entrypoints.web.ports[2]: expected a whole number, text or a map, not a list',
    ],
  ],
  [
    'too little CPU',
    web('cpu: 0.0001'),
    ['5:10 entrypoints.web.cpu: 0.0001 cores is finer than the smallest step, 0.001 [write 0.001]'],
  ],
  [
    'no number of CPU',
    web('cpu: .nan'),
    ['5:10 entrypoints.web.cpu: ".nan" is not an amount of CPU: write cores, such as 2, 0.5 or 1.3'],
  ],
  ['a negative CPU', web('cpu: -1'), ['5:10 entrypoints.web.cpu: -1 cores: an amount of CPU cannot be negative']],
  [
    'a unit that is none',
    web('memory: 512m'),
    ['5:13 entrypoints.web.memory: "512m": there is no unit "m" of size [write 512Mi]'],
  ],
  [
    'a duration without unit',
    web('drain: 30'),
    ['5:12 entrypoints.web.drain: 30: a duration needs a unit [write 30s]'],
  ],
  [
    'what is missing',
    'image: a:b\nroutes:\n  - path: /x\n',
    ['1:1 app: `app` is missing', '1:1 entrypoints: `entrypoints` is missing', '3:5 routes[0].host: `host` is missing'],
  ],
  [
    'a route in short that leads nowhere',
    `${web()}routes:\n  - shop.example.com\n`,
    [
      '6:5 routes[0]: no entrypoint of this app is a service with a tcp port, so nothing can answer [declare a port of one: ports: [8080]]',
    ],
  ],
  [
    'a mistake in a port, with a route and a probe to it',
    `${web('ports: [{port: "8080"}]', 'health: {readiness: {http: /}}')}routes: ['*']\n`,
    ['5:20 entrypoints.web.ports[0].port: expected a whole number, not the text "8080" [write 8080 without quotes]'],
  ],
  [
    'what comes before the place where YAML ends',
    'app: Shop\nimagee: x\nentrypoints: {web: [\n',
    [
      '2:1 imagee: unknown key "imagee" [did you mean "image"?]',
      '4:1 a [ before this is never closed',
      '4:1 a { before this is never closed',
    ],
  ],
]

describe('tells of', () => {
  it.each(cases)('%s', (_what, text, problems) => expect(problemsOf(text)).toEqual(problems))
})

it('tells all mistakes at once, in the order of the file', () => {
  const text = `${web('replicas: -1', 'ports: [99999, 8080]', 'drian: 5s')}routes:\n  - {host: a.b, entrypoint: wbe}\nrollout: {surge: 0}\nenvironments: {Prod: {envv: {}}}\n`
  expect(parseSpec(text).problems.map(({ line, column, path }) => `${line}:${column} ${path}`)).toEqual([
    '5:15 entrypoints.web.replicas',
    '6:13 entrypoints.web.ports[0]',
    '7:5 entrypoints.web.drian',
    '9:29 routes[0].entrypoint',
    '10:18 rollout.surge',
    '11:16 environments.Prod',
    '11:23 environments.Prod.envv',
  ])
})

it('refuses a file of more than 256 KiB, also counted in bytes', () => {
  for (const text of [`# ${'x'.repeat(maxSpecBytes)}`, `# ${'é'.repeat(maxSpecBytes / 2)}`])
    expect(problemsOf(text)[0]).toContain('larger than 256 KiB')
})

it('ends with a count where there are too many problems', () => {
  const keys = Array.from({ length: 300 }, (_, index) => `zz${index}: 1\n`).join('')
  const { problems } = parseSpec(web() + keys)
  expect(problems).toHaveLength(101)
  expect(problems.at(-1)?.message).toBe('and 200 problems more')
})

it.each([
  ['an escape that is none', `"${'\\x'.repeat(130_000)}`],
  ['brackets', '['.repeat(262_000)],
  ['tabs', '\t'.repeat(262_000)],
  ['commas', `[${','.repeat(262_000)}`],
  ['quotes', '"\n'.repeat(130_000)],
  ['aliases', '*a '.repeat(87_000)],
  ['colons', ': '.repeat(131_000)],
])('answers a large file of nothing but %s', (_, text) => {
  const { spec, problems } = parseSpec(text)
  expect(spec).toBeUndefined()
  expect(problems.length).toBeGreaterThan(0)
  expect(problems.length).toBeLessThanOrEqual(101)
})

describe('a document of nonsense', () => {
  const alwaysAnswers = (text: string): void => {
    const { spec, problems } = parseSpec(text)
    expect(spec === undefined).toBe(problems.length > 0)
    const lines = text.split('\n')
    for (const { line, column } of problems) {
      expect(line).toBeGreaterThanOrEqual(1)
      expect(line).toBeLessThanOrEqual(lines.length)
      expect(column).toBeGreaterThanOrEqual(1)
    }
  }

  it('is answered: random text', () => {
    fc.assert(fc.property(fc.string({ unit: 'binary', maxLength: 200 }), alwaysAnswers), { numRuns: 500 })
  })

  it('is answered: random YAML', () => {
    const piece = fc.constantFrom(
      ...[
        'app',
        'image',
        'entrypoints',
        'web',
        'ports',
        'health',
        ': ',
        ':\n',
        '\n  ',
        '\n- ',
        '- ',
        '[',
        ']',
        '{',
        '}',
        ', ',
      ],
      ...[
        '&a ',
        '*a',
        '<<',
        '"',
        "'",
        '|',
        '>',
        '!x ',
        '#',
        '? ',
        '8080',
        '1.5',
        'null',
        '~',
        '\t',
        '---\n',
        '...',
        '%',
        '@',
      ],
    )
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 60 }), (pieces) => alwaysAnswers(pieces.join(''))),
      { numRuns: 1000 },
    )
  })

  it('is answered: random values in the places of the schema', () => {
    const key = fc.constantFrom(
      ...['app', 'image', 'build', 'entrypoints', 'routes', 'rollout', 'environments', 'web', 'ports', 'http', 'port'],
      ...[
        'health',
        'readiness',
        'liveness',
        'env',
        'bind',
        'volumes',
        'secrets',
        'config',
        'stop',
        'name',
        'path',
        'host',
      ],
    )
    const value = fc.letrec((tie) => ({
      any: fc.oneof({ maxDepth: 5 }, tie('leaf'), tie('list'), tie('map')),
      leaf: fc.oneof(fc.string(), fc.integer(), fc.boolean(), fc.constant(null), fc.double(), key),
      list: fc.array(tie('any'), { maxLength: 3 }),
      map: fc.dictionary(key, tie('any'), { maxKeys: 5 }),
    })).map
    fc.assert(
      fc.property(value, (document) => alwaysAnswers(stringify(document))),
      { numRuns: 1000 },
    )
  })

  it.each([
    ['many [', '['.repeat(200_000)],
    ['many {', '{a: '.repeat(50_000)],
    ['many -', '- '.repeat(100_000)],
    ['many anchors', 'a: &a [*a]\n'.repeat(1000)],
    ['control characters', '\0\u0001\u001b[31m'],
    ['a byte order mark', '\ufeffapp: x'],
    ['half a character', 'a: "\\ud800"'],
    ['many quotes', '"'.repeat(10_000)],
    ['line ends', '\r\n\r\r\n'],
  ])('is answered: %s', (_what, text) => alwaysAnswers(text))
})

it('reads its own rendering as the same spec', () => {
  fc.assert(
    fc.property(validDocument, (document) => {
      const spec = specOf(stringify(document))
      const again = specOf(renderSpec(spec))
      expect(JSON.stringify(again)).toBe(JSON.stringify(spec))
    }),
    { numRuns: process.env.BERTH_TEST_LONG === '1' ? 200 : 50 },
  )
})

it.each([
  ['instancs: 1', 'unknown key "instancs"', 'did you mean'],
  ['instances: 1\n      gate: [person]', 'unknown key "gate"', 'did you mean'],
  ['instances: [1]', 'expected', undefined],
])('of a stage with %s only that is told, and not what comes of it', (written, message, suggestion) => {
  const text = `app: shop\nbuild:\n  base: nginx\nentrypoints:\n  web:\n    command: serve\nrollout:\n  stages:\n    - ${written}\n    - instances: 25%\n`
  const { problems } = parseSpec(text)
  expect(problems).toMatchObject([{ line: expect.any(Number), message: expect.stringContaining(message) }])
  expect(problems[0]?.path).toContain('rollout.stages[0]')
  if (suggestion !== undefined) expect(problems[0]?.suggestion).toContain(suggestion)
})

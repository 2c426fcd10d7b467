import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import {
  type AppDockerfile,
  generateAppDockerfile,
  generateLevelDockerfile,
  type LevelDockerfile,
} from './generate-dockerfile.ts'

const noScripts = { hasRuntime: false, hasFiles: false }
const app: AppDockerfile = {
  parent: 'berth/level-node:0123456789ab',
  position: 3,
  scripts: { static: 'sh', hasRuntime: true, hasFiles: true },
  needsEntrypoint: true,
  args: ['VERSION'],
  hasDependencyFiles: true,
  dependencyRun: ['npm ci'],
  run: ['npm run build\nnpm prune "--omit=dev"'],
  labels: { 'berth.app': 'shop', 'berth.builder': 'a "b" $c \\' },
}
const level: LevelDockerfile = {
  parent: `sha256:${'a'.repeat(64)}`,
  position: 1,
  name: 'java',
  packages: ['ca-certificates', 'curl=7.88.1-10+deb12u5'],
  copy: [{ from: 'eclipse-temurin:21-jre', path: '/opt/java [x]/$y', to: '/opt/java' }],
  env: { JAVA_HOME: '/opt/java', PATH: '/opt/java/bin:$PATH', PRICE: '5$$ "net" \\' },
  scripts: { static: 'own-interpreter', hasRuntime: true, hasFiles: false },
  labels: {},
}

describe('generated Dockerfiles', () => {
  test('an app with everything', () => {
    expect(generateAppDockerfile(app)).toBe(
      [
        'FROM berth/level-node:0123456789ab',
        'ARG VERSION',
        'COPY ["files/","/"]',
        'COPY ["berth/levels/03-app/static.sh","/berth/levels/03-app/static.sh"]',
        'RUN ["/bin/sh","-e","/berth/levels/03-app/static.sh"]',
        'COPY ["berth/levels/03-app/runtime.sh","/berth/levels/03-app/runtime.sh"]',
        'WORKDIR /app',
        'COPY ["dependencies/","/app/"]',
        'RUN ["/bin/sh","-ec","npm ci"]',
        'COPY ["src/","/app/"]',
        'RUN ["/bin/sh","-ec","npm run build\\nnpm prune \\"--omit=dev\\""]',
        'COPY ["berth/entrypoint","/berth/entrypoint"]',
        'ENTRYPOINT ["/berth/entrypoint"]',
        'LABEL "berth.app"="shop" "berth.builder"="a \\"b\\" \\$c \\\\"',
        '',
      ].join('\n'),
    )
  })

  test('an app with nothing needs no shell in its image', () => {
    const bare = {
      ...app,
      parent: 'scratch',
      scripts: noScripts,
      needsEntrypoint: false,
      args: [],
      run: [],
      labels: {},
    }
    expect(generateAppDockerfile({ ...bare, hasDependencyFiles: false, dependencyRun: [] })).toBe(
      'FROM scratch\nWORKDIR /app\nCOPY ["src/","/app/"]\nENTRYPOINT []\n',
    )
  })

  test('a level', () => {
    const text = generateLevelDockerfile(level)
    expect(text).toContain(`FROM sha256:${'a'.repeat(64)}\n`)
    expect(text).toContain('ENV PATH="/opt/java/bin:$PATH"\n')
    expect(text).toContain('ENV PRICE="5\\$ \\"net\\" \\\\"\n')
    expect(text).toContain('COPY --from=eclipse-temurin:21-jre ["/opt/java [[]x]/\\\\$y","/opt/java"]\n')
    expect(text).toContain('"install","ca-certificates","curl=7.88.1-10+deb12u5"]\n')
    expect(text).toContain('RUN ["/berth/levels/01-java/static.sh"]\n')
  })

  test.each<[string, () => string]>([
    ['a parent with a line break', () => generateAppDockerfile({ ...app, parent: 'a:b\nRUN id' })],
    ['an argument with a line break', () => generateAppDockerfile({ ...app, args: ['A\nRUN id'] })],
    ['a command with NUL', () => generateAppDockerfile({ ...app, run: ['a\0b'] })],
    ['a command of 70 KB', () => generateAppDockerfile({ ...app, run: ['x'.repeat(70_000)] })],
    ['a package that is an option', () => generateLevelDockerfile({ ...level, packages: ['--allow-unauthenticated'] })],
    ['a package with a space', () => generateLevelDockerfile({ ...level, packages: ['a b'] })],
    ['a variable with a line break', () => generateLevelDockerfile({ ...level, env: { A: 'x\nRUN id' } })],
    ['a variable’s name with =', () => generateLevelDockerfile({ ...level, env: { 'A=B': 'x' } })],
    ['a label with a line break', () => generateAppDockerfile({ ...app, labels: { a: 'x\nRUN id' } })],
    ['a copy from a flag', () => generateLevelDockerfile({ ...level, copy: [{ from: '--x', path: '/', to: '/' }] })],
  ])('%s is refused', (_, generate) => {
    expect(generate).toThrow(expect.objectContaining({ code: 'build.invalid-text' }))
  })

  test('no command can add an instruction', () => {
    const text = fc.string({ unit: 'binary', maxLength: 200 }).filter((each) => !each.includes('\0'))
    fc.assert(
      fc.property(fc.array(text, { maxLength: 5 }), (run) => {
        const instructions = generateAppDockerfile({ ...app, run })
          .trimEnd()
          .split(/\r\n|[\n\r]/)
        expect(instructions).toHaveLength(13 + run.length)
        const commands = instructions.slice(10, 10 + run.length).map((line) => JSON.parse(line.replace(/^RUN /, '')))
        expect(commands.map((argv) => argv[2])).toEqual(run)
      }),
    )
  })
})

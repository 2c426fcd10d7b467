import { describe, expect, test } from 'vitest'
import { buildFailure } from './build-failure.ts'

const step = (instruction: string) => ({ number: 2, total: 5, instruction })
const request = { memoryBytes: 512 * 1024 ** 2, dockerfile: 'Dockerfile' }

/** What the builders of Docker 20.10 to 28 say. */
describe('why a build failed', () => {
  test.each<[string, string, string, RegExp]>([
    [
      'FROM x/y:1',
      'pull access denied for x/y, repository does not exist or may require docker login',
      'build.base-not-found',
      /check its name/,
    ],
    [
      'FROM node:99',
      'manifest for node:99 not found: manifest unknown: manifest unknown',
      'build.base-not-found',
      /image node:99 is not/,
    ],
    [
      'FROM node:26',
      'Get "https://registry-1.docker.io/v2/": dial tcp: lookup registry-1.docker.io: no such host',
      'build.base-not-found',
      /check the way to its registry/,
    ],
    [
      'FROM --platform=linux/amd64 n:1 AS x',
      'failed to resolve reference "docker.io/library/n:1"',
      'build.base-not-found',
      /image n:1 is not/,
    ],
    [
      'COPY --from=c:3 /a /b',
      'invalid from flag value c:3: pull access denied for c',
      'build.base-not-found',
      /image c:3 is not/,
    ],
    [
      'FROM node:26',
      'write /var/lib/docker/tmp/GetImageBlob1: no space left on device',
      'build.disk-full',
      /step 2 of 5 \(FROM node:26\) found no space/,
    ],
    [
      'COPY a /',
      'COPY failed: file not found in build context or excluded by .dockerignore: stat a: file does not exist',
      'build.step-failed',
      /\(COPY a \/\) failed: COPY failed/,
    ],
    [
      'COPY a /',
      'dockerfile parse error line 3: unknown instruction: X',
      'build.dockerfile-invalid',
      /cannot be built/,
    ],
    [
      'RUN x',
      'the --mount option requires BuildKit. Refer to https://docs.docker.com/',
      'build.dockerfile-invalid',
      /only BuildKit/,
    ],
    ['RUN x', 'OCI runtime create failed: something', 'build.step-failed', /OCI runtime/],
  ])('%s: %s', (instruction, said, code, message) => {
    const error = buildFailure({ said, outOfMemory: false, progress: { step: step(instruction), tail: [] }, request })
    expect(error).toMatchObject({ code, message: expect.stringMatching(message) })
  })

  test.each<[string, number, boolean, string[], string, RegExp]>([
    ['RUN npm ci', 1, false, [], 'build.step-failed', /^step 2 of 5 \(RUN npm ci\) failed with exit code 1$/],
    [
      'RUN ["/bin/sh","-ec","npm ci"]',
      137,
      false,
      [],
      'build.step-failed',
      /\(npm ci\) failed with exit code 137 \(it was killed\)/,
    ],
    [
      'RUN ["/bin/sh","-ec","if …","install","curl","git"]',
      100,
      false,
      [],
      'build.step-failed',
      /\(install curl git\)/,
    ],
    ['RUN ["/berth/levels/01-a/static.sh"]', 1, false, [], 'build.step-failed', /\(\/berth\/levels\/01-a\/static.sh\)/],
    ['RUN ["not json', 1, false, [], 'build.step-failed', /\(RUN \["not json\)/],
    ['RUN x', 137, true, [], 'build.out-of-memory', /ran out of its 512 MiB/],
    ['RUN x', 1, true, [], 'build.out-of-memory', /raise build.limits.memory/],
    ['RUN x', 1, false, ['npm ERR! ENOSPC: no space left on device, write'], 'build.disk-full', /docker system df/],
  ])('%s with exit code %d', (instruction, exitCode, outOfMemory, tail, code, message) => {
    const said = `The command '${instruction}' returned a non-zero code: ${exitCode}`
    const error = buildFailure({ said, exitCode, outOfMemory, progress: { step: step(instruction), tail }, request })
    expect(error).toMatchObject({ code, message: expect.stringMatching(message) })
  })

  test('an unknown target, before the first step', () => {
    const said = 'target stage "nope" could not be found'
    const error = buildFailure({ said, outOfMemory: false, progress: { step: undefined, tail: [] }, request })
    expect(error.code).toBe('build.dockerfile-invalid')
  })

  test('something unknown before the first step', () => {
    const error = buildFailure({
      said: 'strange\n',
      outOfMemory: false,
      progress: { step: undefined, tail: [] },
      request,
    })
    expect(error).toMatchObject({ code: 'build.failed', message: 'Docker could not build it: strange' })
  })
})

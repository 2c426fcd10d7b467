import { expect, it } from 'vitest'
import { canonicalize } from './canonicalize.ts'
import { resolveEntrypoint, resolveRoutes, resolveSpec } from './resolve-environment.ts'

const { spec } = canonicalize({
  app: 'shop',
  image: 'shop:1',
  entrypoints: {
    web: { ports: [80], replicas: 3, cpu: 2, memory: '1Gi', env: { A: 'base', B: 'base', C: 'base' } },
  },
  routes: ['shop.example.com'],
  environments: {
    staging: {
      env: { B: 'environment', C: 'environment', D: 'environment' },
      entrypoints: { web: { replicas: 1, cpu: '0.5', env: { C: 'override' } } },
      routes: ['staging.example.com'],
    },
    test: { routes: [] },
  },
})

it('puts an environment’s values over the entrypoint’s, the most particular first', () => {
  expect(resolveEntrypoint(spec!, 'staging', 'web')).toEqual({
    ...spec!.entrypoints.web,
    replicas: 1,
    resources: { cpuMilli: 500, memoryBytes: 2 ** 30 },
    env: { A: 'base', B: 'environment', C: 'override', D: 'environment' },
  })
})

it('leaves an entrypoint as it is in an environment that the file does not name', () => {
  expect(resolveEntrypoint(spec!, 'production', 'web')).toEqual(spec!.entrypoints.web)
  expect(resolveEntrypoint(spec!, 'production', 'nothing')).toBeUndefined()
})

it('replaces the routes, also by none', () => {
  const hosts = (environment: string) => resolveRoutes(spec!, environment).map(({ host }) => host)
  expect(hosts('staging')).toEqual(['staging.example.com'])
  expect(hosts('test')).toEqual([])
  expect(hosts('production')).toEqual(['shop.example.com'])
  expect(resolveSpec(spec!, 'staging').routes).toEqual(resolveRoutes(spec!, 'staging'))
})

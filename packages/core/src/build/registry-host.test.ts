import { describe, expect, it } from 'vitest'
import { readRegistryHost, registryOf, repositoryOf } from './registry-host.ts'

describe('the registry of an image', () => {
  it.each([
    ['node:26-slim', 'docker.io'],
    ['library/node', 'docker.io'],
    ['team/app:1', 'docker.io'],
    ['docker.io/team/app', 'docker.io'],
    ['index.docker.io/team/app', 'docker.io'],
    ['localhost/app', 'localhost'],
    ['localhost:5000/app', 'localhost:5000'],
    ['registry:5000/team/app@sha256:00', 'registry:5000'],
    ['Registry.Example.com/team/app:1.2', 'registry.example.com'],
    ['127.0.0.1:5000/x', '127.0.0.1:5000'],
  ])('%s is %s', (reference, host) => expect(registryOf(reference)).toBe(host))
})

describe('the repository of an image', () => {
  it.each([
    ['node:26-slim', 'library/node'],
    ['docker.io/node', 'library/node'],
    ['team/app:1', 'team/app'],
    ['localhost:5000/app', 'app'],
    ['registry:5000/team/app@sha256:00', 'team/app'],
    ['registry:5000/team/app:1.2@sha256:00', 'team/app'],
  ])('%s is %s', (reference, name) => expect(repositoryOf(reference)).toBe(name))
})

describe('the host of a registry', () => {
  it.each([
    ['registry.example.com', 'registry.example.com'],
    ['https://Registry.Example.com/v2/', 'registry.example.com'],
    ['http://127.0.0.1:5000/', '127.0.0.1:5000'],
    ['https://index.docker.io/v1/', 'docker.io'],
    ['docker.io', 'docker.io'],
    [' registry:5000\n', 'registry:5000'],
  ])('%j is %s', (text, host) => expect(readRegistryHost(text)).toBe(host))

  it.each(['', 'registry', 'a b', 'a.b/c', 'user@a.b', 'a.b:port', '-a.b', 'a.b:5000/x', `${'a.'.repeat(200)}b`])(
    '%j is none',
    (text) => expect(() => readRegistryHost(text)).toThrow(expect.objectContaining({ code: 'registry.invalid-host' })),
  )
})

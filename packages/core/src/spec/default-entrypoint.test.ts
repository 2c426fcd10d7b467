import { describe, expect, it } from 'vitest'
import { defaultEntrypoint, namedServices } from './default-entrypoint.ts'

const port = (protocol: 'tcp' | 'udp') => ({ name: 'a', port: 80, protocol })
const service = (...protocols: ('tcp' | 'udp')[]) => ({ type: 'service' as const, ports: protocols.map(port) })
const job = { type: 'job' as const, ports: [port('tcp')] }

describe('what is meant where no entrypoint is named', () => {
  it.each([
    ['the only service', { web: service('tcp') }, 'web', ['web']],
    ['the first service with a tcp port', { worker: service(), web: service('tcp') }, 'web', ['web', 'worker']],
    ['no job', { migrate: job, web: service('tcp') }, 'web', ['web']],
    ['one whose tcp port comes second', { dns: service('udp', 'tcp'), web: service('tcp') }, 'dns', ['dns', 'web']],
    ['the first service by name, none for routes', { a: service('udp'), b: service() }, undefined, ['a', 'b']],
    ['nothing at all', { migrate: job }, undefined, []],
  ])('%s', (_, entrypoints, route, names) => {
    expect(defaultEntrypoint(entrypoints)).toBe(route)
    expect(namedServices(entrypoints)).toEqual(names)
  })
})

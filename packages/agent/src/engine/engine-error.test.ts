import { BerthError } from '@berth/core'
import { describe, expect, it } from 'vitest'
import { engineError, isEngineDown, timeoutError, transportError } from './engine-error.ts'

describe('engineError', () => {
  it.each([
    [409, 'can not get logs from container which is dead or marked for removal', 'engine.not-found', ''],
    [
      500,
      'write /var/lib/docker/overlay2/x/merged/etc/hosts: no space left on device',
      'engine.disk-full',
      'free space (docker system df)',
    ],
    [404, 'No such image: shop:v1', 'engine.image-missing', ''],
    [404, 'No such container: web-1', 'engine.not-found', ''],
    [409, 'Conflict. The container name "/web-1" is already in use by container "ab12"', 'engine.name-taken', ''],
    [
      500,
      'driver failed programming external connectivity on endpoint web-1: Bind for 0.0.0.0:80 failed: port is already allocated',
      'engine.port-taken',
      'hostPort',
    ],
    [
      500,
      'Error starting userland proxy: listen tcp4 0.0.0.0:80: bind: address already in use',
      'engine.port-taken',
      'ss -ltnp',
    ],
    [500, 'failed to bind host port 0.0.0.0:80/tcp: address already in use', 'engine.port-taken', 'ss -ltnp'],
    [403, 'Address already in use', 'engine.address-taken', 'docker network inspect'],
    [404, 'network berth not found', 'engine.network-missing', ''],
    [
      400,
      'OCI runtime create failed: exec: "srv": executable file not found in $PATH: unknown',
      'engine.command-not-found',
      'check the command',
    ],
    [
      400,
      'invalid mount config for type "bind": bind source path does not exist: /no',
      'engine.mount-missing',
      'create the directory',
    ],
    [404, 'pull access denied for shop, repository does not exist', 'engine.image-unavailable', 'registry'],
    [
      500,
      'Get "https://registry.example/v2/": dial tcp: lookup registry.example: no such host',
      'engine.image-unavailable',
      '',
    ],
    [400, 'client version 1.50 is too old. Minimum supported API version is 1.52', 'engine.too-new', 'update berth'],
    [400, 'invalid CPU quota', 'engine.rejected', ''],
    [500, 'something broke', 'engine.failed', ''],
  ])('%i %s', (status, text, code, next) => {
    const error = engineError('create container web-1', status, text)
    expect(error.code).toBe(code)
    expect(error.message).toMatch(/^create container web-1: /)
    expect(error.message).toContain(text)
    expect(error.message).toContain(next)
  })
})

describe('transportError', () => {
  const failed = (code: string): Error => Object.assign(new Error(`connect ${code}`), { code })

  it.each(['ECONNREFUSED', 'ENOENT', 'ECONNRESET', 'EPIPE'])('%s means that Docker is down', (code) => {
    const error = transportError('ping Docker', '/run/docker.sock', failed(code))
    expect(error).toMatchObject({ code: 'engine.unreachable', retryable: true })
    expect(isEngineDown(error)).toBe(true)
  })

  it('keeps an abort an abort', () => {
    const abort = new AbortController()
    abort.abort(new Error('enough'))
    expect(transportError('ping Docker', '/s', failed('ECONNRESET'), abort.signal)).toBe(abort.signal.reason)
  })

  it('tells a hanging engine from one that refuses', () => {
    expect(isEngineDown(timeoutError('start', 1000))).toBe(true)
    expect(isEngineDown(new BerthError('engine.rejected', 'no'))).toBe(false)
  })
})

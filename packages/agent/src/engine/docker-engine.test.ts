import { BerthError } from '@berth/core'
import { describe, expect, it } from 'vitest'
import type { DockerCall, DockerClient } from './docker-client.ts'
import { DockerEngine } from './docker-engine.ts'
import type { ContainerSpec } from './engine.ts'

/** Answers as a Docker would whose facts promise more than it keeps. */
function pretendedClient(refusal: string | undefined) {
  const created: { StorageOpt?: object }[] = []
  const client = {
    version: async () => '1.41',
    json: async ({ path, body }: DockerCall) => {
      if (path === '/info') return { ServerVersion: '20.10.0', DockerRootDir: '/var/lib/docker', Driver: 'btrfs' }
      if (path !== '/containers/create') return { SizeRw: 4_096 }
      const { HostConfig } = body as { HostConfig: { StorageOpt?: object } }
      created.push(HostConfig)
      if (refusal !== undefined && HostConfig.StorageOpt !== undefined)
        throw new BerthError('engine.failed', `create container web-1: ${refusal}`)
      return { Id: 'c1' }
    },
  }
  return { created, engine: new DockerEngine({ client: client as unknown as DockerClient }) }
}

const spec = {
  name: 'web-1',
  ...{ env: {}, command: [], labels: {}, mounts: [], ports: [], capabilities: [], sysctls: {}, ulimits: [] },
  network: { name: 'berth', address: '10.0.0.2' },
  layerMaxBytes: 1_000,
} as unknown as ContainerSpec

describe('a grant of disk', () => {
  it('is the engine’s affair where it can', async () => {
    const { engine, created } = pretendedClient(undefined)
    expect((await engine.info()).layerQuota).toBe(true)
    await engine.createContainer(spec)
    expect(created).toMatchObject([{ StorageOpt: { size: '1000' } }])
    expect(await engine.layerBytes('c1')).toBeUndefined()
  })

  it('is left to who measures where the engine refuses, then and later', async () => {
    const { engine, created } = pretendedClient("--storage-opt is supported only for overlay over xfs with 'pquota'")
    await engine.info()
    expect(await engine.createContainer(spec)).toBe('c1')
    expect(await engine.createContainer(spec)).toBe('c1')
    expect(created.map(({ StorageOpt }) => StorageOpt !== undefined)).toEqual([true, false, false])
    expect(await engine.layerBytes('c1')).toBe(4_096)
  })

  it('another refusal is one', async () => {
    const { engine, created } = pretendedClient('no space left on device')
    await engine.info()
    await expect(engine.createContainer(spec)).rejects.toThrow('no space left')
    expect(created).toHaveLength(1)
  })
})

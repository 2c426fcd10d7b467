import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createServer, type Server } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import {
  findProgram,
  findShortcomings,
  probeDocker,
  requireNone,
  roomShortcoming,
  type Shortcoming,
} from './requirements.ts'

let dir: string
let docker: Server | undefined
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'berth-requirements-'))
})
afterEach(async () => {
  vi.unstubAllEnvs()
  docker?.closeAllConnections()
  await new Promise<void>((resolve) => (docker === undefined ? resolve() : docker.close(() => resolve())))
  docker = undefined
  rmSync(dir, { recursive: true })
})

/** Something that answers like a Docker Engine, with this status; without one it never answers. */
async function listen(status?: number): Promise<string> {
  const path = join(dir, 'docker.sock')
  const server = createServer((_, response) => {
    if (status !== undefined) response.writeHead(status).end('OK')
  })
  docker = server
  await new Promise<void>((resolve) => server.listen(path, resolve))
  return path
}

describe('what a machine lacks is said at once, with the words that mend it', () => {
  const nft: Shortcoming = { what: 'no nft', remedy: 'apt-get install nftables', package: 'nftables' }
  const cjson: Shortcoming = { what: 'no lua-cjson', remedy: 'apt-get install lua-cjson', package: 'lua-cjson' }
  const root: Shortcoming = { what: 'not root', remedy: 'run it with sudo' }
  it.each<[Shortcoming[], string]>([
    [[root], 'this machine is not ready: not root (run it with sudo)'],
    [[nft, cjson, nft], 'this machine is not ready: no nft, no lua-cjson, no nft (apt-get install nftables lua-cjson)'],
    [[nft, root], 'this machine is not ready: not root (run it with sudo); no nft (apt-get install nftables)'],
  ])('%j', (found, message) => {
    expect(() => requireNone(found)).toThrow(message)
  })

  it('and nothing when there is nothing', () => {
    expect(() => requireNone([])).not.toThrow()
  })
})

describe('Docker', () => {
  it('is there when it answers', async () => {
    expect(await probeDocker(await listen(200))).toBeUndefined()
  })

  it('that answers otherwise is said with its answer', async () => {
    const path = await listen(500)
    expect(await probeDocker(path)).toEqual({ what: `Docker at ${path} answers 500`, remedy: 'see its log' })
  })

  it('that is installed and does not run is to be started', async () => {
    writeFileSync(join(dir, 'dockerd'), '')
    chmodSync(join(dir, 'dockerd'), 0o755)
    vi.stubEnv('PATH', dir)
    const path = join(dir, 'none.sock')
    expect(await probeDocker(path)).toMatchObject({
      what: `Docker does not answer at ${path}`,
      remedy: expect.stringContaining('systemctl start docker'),
      absent: true,
    })
  })

  it('that never answers is not waited for for ever', async () => {
    const path = await listen()
    expect(await probeDocker(path, 50)).toEqual({
      what: `Docker does not answer at ${path}`,
      remedy: 'it does not answer within 0.05 s',
    })
  })
})

describe('a program', () => {
  it('is found where it can be run, and only there', () => {
    writeFileSync(join(dir, 'berth-tool'), '')
    vi.stubEnv('PATH', `:/no/such/folder:${dir}`)
    expect(findProgram('berth-tool')).toBeUndefined()
    chmodSync(join(dir, 'berth-tool'), 0o755)
    expect(findProgram('berth-tool')).toBe(join(dir, 'berth-tool'))
  })
})

it('looks at all of it, also below a folder that is not there yet', async () => {
  vi.stubEnv('PATH', dir)
  const stateDir = join(dir, 'not', 'yet')
  const found = await findShortcomings({ stateDir, dockerSocket: await listen(200), gateway: false })
  const programs = found.filter((each) => each.package !== undefined).map((each) => each.package)
  expect(programs).toEqual(expect.arrayContaining(['git']))
  expect(found.filter((each) => each.what.includes('Docker'))).toEqual([])
})

it('wants room for a machine that begins, not for one that was up before', async () => {
  const options = { stateDir: dir, dockerSocket: await listen(200), gateway: false }
  const found = async (minFreeBytes: number) =>
    (await findShortcomings({ ...options, minFreeBytes })).filter(({ what }) => what.includes('MiB free'))
  expect(await found(0)).toEqual([])
  expect(await found(Number.POSITIVE_INFINITY)).toEqual([roomShortcoming(dir, Number.POSITIVE_INFINITY)])
})

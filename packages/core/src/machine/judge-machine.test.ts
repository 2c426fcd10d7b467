import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { architectureOf, fairServerTime, judgeMachine, type MachineWish, mayJoin, packagesOf } from './judge-machine.ts'
import { goodSurvey, surveyText, wish } from './machine.testing.ts'
import { parseMachineFacts } from './machine-facts.ts'

const judge = (changes: Readonly<Record<string, string | undefined>>, wanted: Partial<MachineWish> = {}) => {
  const facts = parseMachineFacts(surveyText(changes))
  if (facts === undefined) throw new Error('the survey is whole')
  return judgeMachine(facts, { ...wish, ...wanted })
}
const identity = (name: string, cluster: string): string => JSON.stringify({ name, cluster, servers: [] })
const other = 'b'.repeat(64)

describe('a machine that', () => {
  it('lacks nothing is taken without a word', () => {
    expect(judge({})).toEqual([])
  })

  it.each<[string, Readonly<Record<string, string | undefined>>, Partial<MachineWish>, string, string]>([
    ['runs something else', { system: 'FreeBSD' }, {}, 'blocked', 'it runs FreeBSD'],
    ['has no sudo', { uid: '1000' }, { root: 'no-sudo' }, 'blocked', 'not root, and there is no sudo'],
    ['refuses sudo', { uid: '1000' }, { root: 'sudo-refused' }, 'blocked', 'sudo asks for a password'],
    ['is of another kind', { architecture: 'aarch64' }, {}, 'blocked', 'aarch64, and the executable is for x64'],
    ['has musl', { libc: 'other' }, {}, 'blocked', 'a C library other than glibc'],
    ['has an old glibc', { libc: 'glibc 2.17' }, {}, 'blocked', 'glibc 2.17'],
    ['has an old kernel', { kernel: '3.10.0-1160.el7' }, {}, 'blocked', 'its kernel is 3.10.0'],
    ['has no veth', { kernel_veth: 'no', kernel_bridge: 'no' }, {}, 'blocked', 'no network bridge, no veth pairs'],
    ['has no memory controller', { cgroup_controllers: 'cpuset cpu' }, {}, 'blocked', 'without the memory controller'],
    ['has no cgroups', { cgroup: undefined }, {}, 'blocked', 'no control groups'],
    ['has no nft', { has_nft: 'no', has_ip: 'no' }, {}, 'package', 'no ip, no nft'],
    ['has no nginx', { has_nginx: 'no', has_nginx_lua: undefined }, {}, 'package', 'no nginx, no Lua module'],
    [
      'has no Docker',
      { docker_version: undefined, docker_socket: 'no', has_docker: 'no', has_dockerd: 'no' },
      {},
      'package',
      'no Docker',
    ],
    [
      'does not run Docker',
      { docker_version: undefined, docker_socket: 'no', docker_problem: 'Cannot connect to the Docker daemon.' },
      {},
      'start',
      'Docker is installed and does not run',
    ],
    [
      'has a Docker that refuses',
      { docker_version: undefined, docker_problem: 'permission denied while trying to connect.' },
      {},
      'blocked',
      'permission denied',
    ],
    ['has an old Docker', { docker_version: '19.03.15 1.40' }, {}, 'blocked', 'Docker 19.03.15 (API 1.40) is too old'],
    ['has no live-restore', { docker_live_restore: 'false' }, {}, 'warning', 'live-restore'],
    ['lives hours ago', { now: '1795952211' }, {}, 'blocked', "2 h behind the server's"],
    ['is some seconds ahead', { now: '1795959431' }, {}, 'warning', "20 s ahead of the server's"],
    ['is full', { state_free_kib: '200000' }, {}, 'blocked', 'only 195 MiB free below /var/lib/berth'],
    ['has no room for the executable', { program_free_kib: '100000' }, {}, 'blocked', 'where the executable goes'],
    ['is tiny', { memory_kib: '200000' }, {}, 'blocked', '195 MiB of memory'],
    ['is small', { memory_kib: '600000' }, {}, 'warning', '585 MiB of memory'],
    [
      'serves already',
      { listening: '00000000:0050 00000000000000000000000000000000:01BB' },
      {},
      'blocked',
      'port 80 and 443',
    ],
    ['answers names', { listening: '00000000:0035', listening_udp: '00000000:0035' }, {}, 'warning', 'a DNS server'],
    [
      'cannot reach the server',
      { reaches_agent_port: 'silent' },
      {},
      'blocked',
      '192.0.2.1:7601 (the port of agents) does not answer',
    ],
    ['does not know the server', { reaches_api: 'unknown-name' }, {}, 'blocked', 'has a name that it does not know'],
    [
      'is of another cluster',
      { identity: identity('shed-3', other) },
      {},
      'blocked',
      'node shed-3 of another cluster (authority bbbb',
    ],
    [
      'is another node',
      { identity: identity('shed-9', 'a'.repeat(64)) },
      {},
      'blocked',
      'it is node shed-9 of this cluster already',
    ],
    ['is a cluster of its own', { host_config: '{"server":{}}' }, {}, 'blocked', 'it is a cluster of its own'],
    ['has the name of another', {}, { nameTaken: true }, 'blocked', 'another machine is node shed-3 already'],
  ])('%s', (_, changes, wanted, kind, what) => {
    const [finding, ...more] = judge(changes, wanted)
    expect(more).toEqual([])
    expect(finding).toMatchObject({ kind, what: expect.stringContaining(what) })
    expect(finding?.remedy.length).toBeGreaterThan(10)
  })

  it('is this very node already may be brought in again, with its own ports and name', () => {
    const again = {
      identity: identity('shed-3', 'a'.repeat(64)),
      listening: '00000000:0050',
      program_sha256: 'f',
      program_free_kib: '1',
    }
    expect(judge(again, { nameTaken: true })).toEqual([])
  })
})

it('a node that joined under an authority of before is still the same cluster to a server that knows it', () => {
  const joined = { name: 'shed-3', cluster: other, servers: [{ host: '192.0.2.1', port: 7601 }] }
  const changes = { identity: JSON.stringify(joined) }
  expect(judge(changes, { isKnownNode: true })).toEqual([])
  expect(judge(changes)).toHaveLength(1)
})

it('a node that was removed from this cluster is told how it may join anew', () => {
  const again = { identity: identity('shed-3', 'a'.repeat(64)) }
  expect(judge(again, { isKnownNode: true })).toEqual([])
  const [finding] = judge(again, { isKnownNode: false })
  expect(finding).toMatchObject({ kind: 'blocked', what: expect.stringContaining('was removed from it') })
  expect(finding?.remedy).toContain('berth down --all --purge there')
})

it.each([
  [50, 100],
  [150, 150],
  [300, 200],
  [undefined, 200],
])('a machine that said it was %s, between 100 and 200 of the server, is judged by %d', (said, by) => {
  expect(fairServerTime(said, 100, 200)).toBe(by)
})

it('everything is said at once, and the packages once', () => {
  const found = judge({ has_nft: 'no', has_nginx: 'no', kernel: '3.0', memory_kib: '600000', now: '1' })
  expect(found.map((each) => each.kind)).toEqual(['blocked', 'package', 'package', 'blocked', 'warning'])
  expect(packagesOf(found)).toEqual(['nftables', 'nginx-light'])
  expect(mayJoin(found)).toBe(false)
  expect(mayJoin(judge({ memory_kib: '600000' }))).toBe(true)
})

it('whatever a machine says, or leaves out, it is judged, and what is not known blocks nothing', () => {
  const optional = Object.keys(goodSurvey).filter(
    (key) =>
      !['system', 'kernel', 'architecture', 'end', 'cgroup', 'cgroup_controllers', 'docker_version'].includes(key) &&
      !key.startsWith('has_'),
  )
  fc.assert(
    fc.property(fc.subarray(optional), (lost) => {
      const found = judge(Object.fromEntries(lost.map((key) => [key, undefined])))
      expect(found.filter(({ kind }) => kind === 'blocked')).toEqual([])
    }),
  )
  fc.assert(
    fc.property(
      fc.dictionary(fc.constantFrom(...Object.keys(goodSurvey), 'identity', 'host_config'), fc.string()),
      (changes) => {
        const facts = parseMachineFacts(surveyText({ ...changes, end: 'yes' }))
        if (facts !== undefined) expect(Array.isArray(judgeMachine(facts, wish))).toBe(true)
      },
    ),
  )
})

it('a survey that broke off is none', () => {
  expect(parseMachineFacts(surveyText({ end: undefined }))).toBeUndefined()
})

it('architectures go by the names that executables have', () => {
  expect(['x86_64', 'aarch64', 'riscv64'].map(architectureOf)).toEqual(['x64', 'arm64', 'riscv64'])
})

import { writeFileSync } from 'node:fs'
import { Agent, get } from 'node:http'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { setTimeout as delay } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { AddressCheck, InstanceView, NodeView, PortTrafficView } from '../packages/api/src/index.ts'
import { routedLinkOf, routedPeerOf, twinned, twinRange } from '../packages/core/src/index.ts'
import type { LabHost } from '../packages/lab/src/index.ts'
import { webApp } from './support/apps.ts'
import { Cluster } from './support/cluster.ts'
import { startLoad, until } from './support/load.ts'

/** Two machines that were told to give each container a link of its own, by their users' way: `berth up` and `berth node join`. */
let cluster: Cluster

const second = () => {
  const [, host] = cluster.lab.hosts
  if (host === undefined) throw new Error('a lab of two has two hosts')
  return host
}
const instances = async (): Promise<readonly InstanceView[]> =>
  (await cluster.client.list('listInstances', { query: { app: 'shop' } })).items
const on = async (node: string): Promise<InstanceView> => {
  const found = (await instances()).find((each) => each.node === node && each.ready)
  if (found === undefined) throw new Error(`nothing is ready on ${node}`)
  return found
}
const askFrom = (instance: InstanceView, url: string) =>
  cluster.mustBerth(['exec', instance.id, 'wget', '-q', '-O', '-', url])

/** A real connection from inside the one to the other, which sees its address. Who is to be let through has more time. */
const reaches = async (
  from: InstanceView,
  to: Pick<InstanceView, 'address'>,
  wanted: 'silence' | 'an answer' = 'silence',
): Promise<boolean> => {
  const seconds = wanted === 'silence' ? '3' : '15'
  const argv = ['exec', from.id, 'timeout', seconds, 'wget', '-q', '-O', '-', `http://${to.address}:8080/ip`]
  return (await cluster.berth(argv)).stdout.includes(from.address ?? 'no address')
}
/** Answers everybody at port 8080 with the address that they come from. */
const startByHand = async (host: LabHost, profiles?: string) => {
  const network = profiles === undefined ? 'berth' : `name=berth,driver-opt=berth.profile=${profiles}`
  const serve = `require('node:http').createServer((q, s) => s.end(q.socket.remoteAddress)).listen(8080)`
  const options = ['--detach', '--network', network, 'berth/node:local', 'node', '-e', serve]
  const id = (await host.exec(['docker', 'run', ...options])).stdout.trim()
  return { host, id, address: await addressOf(host, id) }
}
const addressOf = async (host: LabHost, id: string): Promise<string> => {
  const format = '{{.NetworkSettings.Networks.berth.IPAddress}}'
  return (await host.exec(['docker', 'inspect', '--format', format, id])).stdout.trim()
}
const bodyOf = (url: string, agent: Agent): Promise<string> =>
  new Promise((resolve, reject) => {
    const call = get(url, { agent, timeout: 10_000 }, (response) => {
      text(response).then(resolve, reject)
    })
    call.once('timeout', () => call.destroy(new Error('no answer within 10 s'))).once('error', reject)
  })
const applyProfile = async (profile: { readonly name: string } & Record<string, unknown>): Promise<void> => {
  const path = join(cluster.dir, `${profile.name}.json`)
  writeFileSync(path, JSON.stringify(profile))
  await cluster.mustBerth(['profile', 'apply', path])
}

beforeAll(async () => {
  cluster = await Cluster.start({ hosts: 2, beforeUp: async () => ['--network', 'routed'] })
  await cluster.join(second(), ['--network', 'routed'])
  await cluster.untilOnline(2)
  await cluster.mustBerth(['ip', 'pool', 'set', 'default', '--ipv6', 'fd77:1::/64'])
  const repository = await cluster.repository(
    'shop',
    webApp({ replicas: 4, extra: '  - {tcp: 9000, entrypoint: web}' }),
  )
  await cluster.mustBerth(['deploy', 'shop', '--repository', repository.path])
})
afterAll(() => cluster[Symbol.asyncDispose]())

describe('machines in routed mode', () => {
  it('say so, and their containers have no bridge', async () => {
    const nodes = (await cluster.mustBerth(['node', 'ls', '-o', 'json'])).json<NodeView[]>()
    const network = { driver: 'routed', range: expect.stringMatching(/^10\.\d+\.0\.0\/16$/), blocks: [] }
    expect(nodes.map((each) => each.network)).toEqual([network, network])
    expect(nodes.flatMap((each) => each.problems)).toEqual([])
    expect((await cluster.mustBerth(['node', 'show', 'h2'])).stdout).toMatch(/^network +routed$/m)
    for (const host of cluster.lab.hosts) {
      expect((await host.exec(['ip', 'link', 'show', 'berth0'])).code).not.toBe(0)
      const { stdout } = await host.exec(['ip', '-o', 'link', 'show', 'type', 'veth'])
      expect(stdout.match(/berth-[0-9a-f]{8}/g)).toHaveLength(2)
    }
  })

  it('pass requests from the gateway to instances of both', async () => {
    const seen = new Set<string>()
    const load = startLoad(`${cluster.gatewayUrl}/`, {
      host: 'shop.test',
      connections: 4,
      onBody: (body) => seen.add(JSON.parse(body).instance),
    })
    await until('all four to answer', () => seen.size === 4)
    expect((await load.stop()).failures).toEqual([])
  })

  it('pass connections to a port on to instances of both; a deploy loses none, and waits for one that lasts', async () => {
    const url = `http://${cluster.first.address}:9000/`
    const seen = new Set<string>()
    const load = startLoad(url, {
      ...{ connections: 4, keepAlive: false },
      onBody: (body) => seen.add(JSON.parse(body).instance),
    })
    await until('all four to answer', () => seen.size === 4)
    const agent = new Agent({ keepAlive: true, maxSockets: 1 })
    const askAgain = async (): Promise<string> => JSON.parse(await bodyOf(url, agent)).instance
    const holder = await askAgain()
    const restarted = cluster.mustBerth(['restart', 'shop'])
    const held = async () => (await instances()).find(({ id }) => id === holder)
    await until('it to drain', async () => (await held())?.desired === 'drain')
    await until('it to be out of traffic', async () => (await held())?.inTraffic === false)
    for (let turn = 0; turn < 5; turn++) {
      expect(await askAgain()).toBe(holder)
      await delay(200)
    }
    expect((await held())?.desired).toBe('drain')
    agent.destroy()
    await restarted
    // Counted by the kernel, through all its tables, and told by the agent.
    const ports = async () => (await cluster.client.call('getTraffic', {})).ports ?? []
    const isCounted = ({ connectionsPerSecond, bytesOutPerSecond }: PortTrafficView['members'][number]): boolean =>
      connectionsPerSecond > 0 && bytesOutPerSecond > 0
    await until('all four to have connections in the numbers', async () => {
      const [port] = await ports()
      return port?.members.length === 4 && port.members.every(isCounted)
    })
    expect((await load.stop()).failures).toEqual([])
    const top = (await cluster.mustBerth(['top', 'routes'])).stdout
    expect(top).toMatch(/CONNECTIONS\/S[\s\S]*tcp:\/\/\S+:9000 +shop\/production\/web +[0-9]/)
    expect((await cluster.mustBerth(['routes'])).stdout).toMatch(/tcp:\/\/\S+:9000 +shop +production +web +4 +0/)
    const problems = (await cluster.client.list('listNodes')).items.flatMap((each) => each.problems)
    expect(problems).toEqual([])
  })

  it('let instances reach each other by name under their own addresses', async () => {
    const [here, there] = [await on('h1'), await on('h2')]
    const answer = await askFrom(here, `http://${there.name}.production.shop.berth:8080/ip`)
    // By IPv6, which programs try first.
    expect(answer.stdout).toContain(here.address6)
    const back = await askFrom(there, `http://${here.name}.production.shop.berth:8080/ip`)
    expect(back.stdout).toContain(there.address6)
  })

  it('let them reach each other by IPv6, by name, under the twins of their addresses, by BGP as well', async () => {
    const [here, there] = [await on('h1'), await on('h2')]
    const reachEachOther = async (): Promise<boolean> => {
      const pairs = [
        { from: here, to: there },
        { from: there, to: here },
      ]
      const answers = pairs.map(async ({ from, to }) => {
        const url = `http://[${to.address6}]:8080/ip`
        const { stdout } = await cluster.berth(['exec', from.id, 'timeout', '15', 'wget', '-q', '-O', '-', url])
        return stdout.includes(from.address6 ?? 'no address')
      })
      return (await Promise.all(answers)).every(Boolean)
    }
    expect(await reachEachOther()).toBe(true)
    const look = `require('node:dns').promises.resolve6('${there.name}.production.shop.berth').then((all) => console.log(all.join()))`
    const names = await cluster.mustBerth(['exec', here.id, 'node', '-e', look])
    expect(names.stdout.trim()).toBe(there.address6)
    const shown = await cluster.mustBerth(['ip', 'show', there.address6 ?? ''])
    expect(shown.stdout).toContain(there.id)
    expect((await cluster.mustBerth(['node', 'show', 'h2'])).stdout).toMatch(/instances in \S+ and fd77:1::\S+\/120/)
    const tables = (...which: string[]) =>
      Promise.all(
        cluster.lab.hosts.map(async (host) => (await host.exec(['ip', '-6', 'route', 'show', ...which])).stdout),
      )
    await cluster.mustBerth(['net', 'set', '--routes', 'bgp', '--yes'])
    await until('learned routes of IPv6 alone', async () => {
      const [learned, statics] = [await tables('table', '77'), await tables('proto', '77')]
      return learned.every((each) => each.includes('proto bird')) && statics.every((each) => each === '')
    })
    expect(await reachEachOther()).toBe(true)
    await cluster.mustBerth(['net', 'set', '--routes', 'static', '--yes'])
    await until('static routes of IPv6 alone', async () => {
      const [learned, statics] = [await tables('table', '77'), await tables('proto', '77')]
      return learned.every((each) => each === '') && statics.every((each) => each !== '')
    })
    expect(await reachEachOther()).toBe(true)
  })

  it('obey security profiles on both ends, on one node and between two', async () => {
    const ready = (await instances()).filter((each) => each.ready)
    const [friend, neighbour] = ready.filter((each) => each.node === 'h2')
    const [shy, open] = ready.filter((each) => each.node === 'h1')
    if (friend === undefined || neighbour === undefined || shy === undefined || open === undefined)
      throw new Error('two instances are to be on each')
    // All may be called by the friend alone, and nobody calls the shy one.
    await applyProfile({
      name: 'default',
      inbound: [`tcp:8080 from ${friend.address}/32`],
      outbound: [`deny tcp to ${shy.address}/32`, 'allow'],
    })
    // Each machine has them when it has them.
    await until('the rules to hold on h2', async () => !(await reaches(neighbour, friend)))
    await until('the rules to hold on h1', async () => !(await reaches(shy, open)))
    const pairs = [
      { from: friend, to: neighbour, outbound: true, inbound: true },
      { from: friend, to: open, outbound: true, inbound: true },
      { from: friend, to: shy, outbound: false, inbound: true },
      { from: neighbour, to: open, outbound: true, inbound: false },
      { from: shy, to: open, outbound: true, inbound: false },
      { from: open, to: shy, outbound: false, inbound: false },
    ]
    await Promise.all(
      pairs.map(async ({ from, to, outbound, inbound }) => {
        const explained = await cluster.berth(['net', 'explain', from.id, `${to.id}:8080`, '-o', 'json'])
        expect(explained.json<object>()).toMatchObject({
          outbound: { allowed: outbound },
          inbound: { allowed: inbound },
        })
        expect(await reaches(from, to, outbound && inbound ? 'an answer' : 'silence')).toBe(outbound && inbound)
      }),
    )
    // Who was started by hand has the default as well, on both ends.
    const byHand = await startByHand(second())
    expect(await Promise.all([reaches(friend, byHand, 'an answer'), reaches(neighbour, byHand)])).toEqual([true, false])
    const call = ['busybox', 'timeout', '3', 'wget', '-q', '-O', '-', `http://${shy.address}:8080/ip`]
    expect((await second().exec(['docker', 'exec', byHand.id, ...call])).code).not.toBe(0)
    expect((await second().exec(['docker', 'rm', '--force', byHand.id])).code).toBe(0)
    expect((await instances()).filter((each) => each.ready)).toHaveLength(4)
    await cluster.mustBerth(['profile', 'rm', 'default', '-y'])
    await until('everybody to be called again', () => reaches(open, shy))
  })

  it('give a container that is started by hand the profiles that it names, and close it until they are there', async () => {
    await applyProfile({ name: 'friends', tags: ['friend'], inbound: ['tcp:8080 from friend'], outbound: ['allow'] })
    const host = second()
    const [mine, other] = [await startByHand(host, 'friends'), await startByHand(cluster.first, 'friends')]
    const plain = await startByHand(cluster.first)
    const asks = async (from: { readonly host: LabHost; readonly id: string }, to: { readonly address: string }) => {
      const call = ['busybox', 'timeout', '3', 'wget', '-q', '-O', '-', `http://${to.address}:8080/`]
      return (await from.host.exec(['docker', 'exec', from.id, ...call])).stdout.replace('::ffff:', '')
    }
    await until('the one to reach the other', async () => (await asks(mine, other)) === mine.address)
    await until('and the other the one', async () => (await asks(other, mine)) === other.address)
    expect(await asks(plain, mine)).toBe('')
    expect((await cluster.mustBerth(['ip', 'show', mine.address])).stdout).toMatch(/^profiles friends$/m)
    const inUse = await cluster.berth(['profile', 'rm', 'friends', '-y'])
    expect([inUse.code, inUse.stderr]).toEqual([1, expect.stringContaining(`${mine.address} on h2`)])

    const late = await startByHand(host, 'friends+late')
    expect(await asks(late, plain)).toBe('')
    expect(await asks(other, late)).toBe('')
    await until('the node to say so', async () =>
      (await cluster.mustBerth(['node', 'show', 'h2'])).stdout.includes('there is no profile late, which it names'),
    )
    const explained = await cluster.berth(['net', 'explain', late.address, `${plain.address}:8080`])
    expect(explained.stdout).toContain(`${late.address} is closed: there is no profile late, which it names`)
    expect((await cluster.mustBerth(['net', 'drops', late.address])).stdout).toContain(
      'closed: there is no profile late',
    )
    await applyProfile({ name: 'late', tags: [], inbound: [], outbound: [] })
    await until('it to be reached', async () => (await asks(other, late)) === other.address)

    const refused = await host.exec([
      'docker',
      'run',
      '--rm',
      '--network',
      'name=berth,driver-opt=berth.profil=a',
      'berth/node:local',
      'true',
    ])
    expect(refused.stderr).toContain('driver-opt berth.profil is unknown; did you mean berth.profile')
    const agent = await cluster.pidOf('agent', host)
    // Its agent hears nothing as it starts again: nothing passes until it does.
    process.kill(agent, 'SIGSTOP')
    expect((await host.exec(['docker', 'restart', '--time', '0', mine.id])).code).toBe(0)
    const again = { ...mine, address: await addressOf(host, mine.id) }
    expect(await asks(other, again)).toBe('')
    process.kill(agent, 'SIGCONT')
    await until('it to be reached again', async () => (await asks(other, again)) === other.address)
    for (const each of [mine, other, plain, late])
      expect((await each.host.exec(['docker', 'rm', '--force', each.id])).code).toBe(0)
    await until('nobody to have them', async () => (await cluster.berth(['profile', 'rm', 'friends', '-y'])).code === 0)
    await cluster.mustBerth(['profile', 'rm', 'late', '-y'])
  })

  it('learn the routes to each other by BGP, and back, without a request that fails', async () => {
    const table = async (...which: string[]) =>
      Promise.all(cluster.lab.hosts.map(async (host) => (await host.exec(['ip', 'route', 'show', ...which])).stdout))
    const load = startLoad(`${cluster.gatewayUrl}/`, { host: 'shop.test', connections: 4 })
    await cluster.mustBerth(['net', 'set', '--routes', 'bgp', '--yes'])
    await until('learned routes alone', async () => {
      const [learned, statics] = [await table('table', '77'), await table('proto', '77')]
      return learned.every((each) => each.includes('proto bird')) && statics.every((each) => each === '')
    })
    const [here, there] = [await on('h1'), await on('h2')]
    for (const [from, to] of [
      [here, there],
      [there, here],
    ] as const)
      expect(await reaches(from, to, 'an answer')).toBe(true)
    await cluster.mustBerth(['net', 'set', '--routes', 'static', '--yes'])
    await until('static routes alone', async () => {
      const [learned, statics] = [await table('table', '77'), await table('proto', '77')]
      return learned.every((each) => each === '') && statics.every((each) => each !== '')
    })
    expect((await load.stop()).failures).toEqual([])
  })

  it('have what is written down of addresses, also after agent and dockerd were killed; what is left over is found, and goes', async () => {
    const check = async () => (await cluster.berth(['ip', 'check', '-o', 'json'])).json<AddressCheck>()
    const isWhole = async () => {
      const { findings, silent } = await check()
      return findings.length === 0 && silent.length === 0
    }
    await until('nothing to differ', isWhole, 60_000)
    const same = await cluster.mustBerth(['ip', 'check'])
    expect(same.stderr).toMatch(/compared \d+ instances with \d+ containers on 2 nodes/)
    const host = second()
    const { block } = await cluster.client.call('getNode', { params: { name: 'h2' } })
    const address = block.replace(/\.0\/24$/, '.200')
    const [link, peer] = [routedLinkOf(address), routedPeerOf(address)]
    expect((await host.exec(['ip', 'link', 'add', link, 'type', 'veth', 'peer', 'name', peer])).code).toBe(0)
    const leaking = await cluster.berth(['ip', 'check'])
    expect([leaking.code, leaking.stdout]).toEqual([1, expect.stringContaining(`${link} with ${address}`)])
    process.kill(await cluster.pidOf('agent'), 'SIGKILL')
    await host.killDockerd()
    await host.startDockerd()
    await until('nothing to differ again', isWhole, 120_000)
    expect((await host.exec(['ip', 'link', 'show', link])).code).not.toBe(0)
    await until('four to run', async () => (await instances()).filter((each) => each.inTraffic).length === 4, 60_000)
  })

  it('serve while netd and agent are killed and instances are replaced, each under the address that the server gave it', async () => {
    const load = startLoad(`${cluster.gatewayUrl}/`, { host: 'shop.test', connections: 2 })
    for (const name of ['netd', 'agent'] as const) process.kill(await cluster.pidOf(name), 'SIGKILL')
    await until('the agent to be back', async () =>
      (await cluster.client.list('listNodes')).items.every((node) => node.online),
    )
    await cluster.mustBerth(['restart', 'shop'])
    expect((await load.stop()).failures).toEqual([])
    const given = await until('four to run, and no more', async () => {
      const running = (await instances()).filter((each) => each.phase === 'running')
      return running.length === 4 && running.every((each) => each.inTraffic) && running
    })
    for (const host of cluster.lab.hosts) {
      const own = given.filter((each) => each.node === host.name)
      const wanted = own.map((each) => each.address).sort()
      // Docker lists one that has ended for a moment more.
      await until('the containers of these, and no more', async () => {
        const shown = await cluster.containers(host)
        return JSON.stringify(shown.map((each) => each.address).sort()) === JSON.stringify(wanted)
      })
    }
  })

  it('give a container that is started by hand an address of their own, and names', async () => {
    const host = second()
    const options = ['--rm', '--network', 'berth', '--dns', '169.254.77.53', 'berth/node:local']
    const { stdout, stderr } = await host.exec([
      'docker',
      'run',
      ...options,
      'wget',
      '-q',
      '-O',
      '-',
      'http://web.shop.berth:8080/ip',
    ])
    expect(stderr).toBe('')
    const [address6 = ''] = /fd77:1::\S+$/.exec(stdout.trim()) ?? []
    expect(twinned([twinRange({ range: '10.0.0.0/8', ipv6: 'fd77:1::/64' })], address6)).toMatch(
      /\.(239|24\d|25[0-4])$/,
    )
  })

  it('keep an address over a deploy and a move to the other machine, with static routes and with BGP', async () => {
    const keeps = webApp({ app: 'keeps', replicas: 1, entrypointExtra: '    address: keep' })
    const repository = await cluster.repository('keeps', keeps)
    await cluster.mustBerth(['deploy', 'keeps', '--repository', repository.path])
    const kept = async (): Promise<InstanceView> =>
      await until('the one to be ready', async () => {
        const { items } = await cluster.client.list('listInstances', { query: { app: 'keeps' } })
        return items.length === 1 && items[0]?.ready === true && items[0]
      })
    const before = await kept()
    const { address = '', node: home = '' } = before
    const isReached = async (): Promise<void> => {
      for (const name of ['h1', 'h2']) {
        const from = (await instances()).find((each) => each.node === name && each.ready)
        if (from !== undefined) await until(`${name} to reach it`, () => reaches(from, { address }))
      }
    }
    await cluster.mustBerth(['restart', 'keeps'])
    const restarted = await kept()
    expect(restarted).toMatchObject({ address, slot: 1, node: home })
    expect(restarted.id).not.toBe(before.id)
    await isReached()

    await cluster.mustBerth(['node', 'drain', home, '--wait'])
    const moved = await kept()
    expect(moved).toMatchObject({ address, slot: 1 })
    expect(moved.node).not.toBe(home)
    const [host, homeHost] = [moved.node, home].map((name) => cluster.lab.hosts.find((each) => each.name === name))
    if (host === undefined || homeHost === undefined) throw new Error('both are hosts of the lab')
    expect((await cluster.containers(host)).map((each) => each.address)).toContain(address)
    const routeAt = async (at: LabHost): Promise<string> => (await at.exec(['ip', 'route', 'get', address])).stdout
    expect(await routeAt(host)).toContain('dev berth-')
    expect(await routeAt(homeHost)).toContain('via')
    await cluster.mustBerth(['node', 'undrain', home])
    await cluster.mustBerth(['scale', 'shop/web', '6'])
    await until('instances on both', async () => {
      const ready = (await instances()).filter((each) => each.ready)
      return new Set(ready.map((each) => each.node)).size === 2
    })
    await isReached()

    await cluster.mustBerth(['net', 'set', '--routes', 'bgp', '--yes'])
    const learned = async (): Promise<string> => (await homeHost.exec(['ip', 'route', 'show', 'table', '77'])).stdout
    await until('it to be learned', async () => (await learned()).includes(`${address} via`))
    await isReached()
    await cluster.mustBerth(['restart', 'keeps'])
    expect(await kept()).toMatchObject({ address, node: home })
    await until('it to be forgotten', async () => !(await learned()).includes(`${address} via`))
    await isReached()
    await cluster.mustBerth(['net', 'set', '--routes', 'static', '--yes'])
    await cluster.mustBerth(['rm', 'keeps', '-y'])
    await until('it to go', async () => (await cluster.client.list('listApps')).items.length === 1)
  })

  it('are left without a trace', async () => {
    await cluster.mustBerth(['rm', 'shop', '-y'])
    await until('the app to go', async () => (await cluster.client.list('listApps')).items.length === 0)
    const host = second()
    await cluster.mustBerth(['down', '--purge', '-y'], { host })
    const left = async (...argv: string[]) => (await host.exec(argv)).stdout
    expect(await left('ip', 'route', 'show', 'proto', '78')).toBe('')
    expect(await left('ip', 'address', 'show', 'dev', 'lo')).not.toContain('169.254.77')
    expect(await left('ip', 'link')).not.toContain('berth')
    expect(await left('nft', 'list', 'tables')).not.toContain('inet berth')
    expect(await left('ls', '/run/docker/plugins')).not.toContain('berth.sock')
    expect(await left('docker', 'network', 'ls')).not.toContain('berth')
  })
})

import type { NetworkConfig } from '@berth/core'
import { describe, expect, it } from 'vitest'
import { renderTable, rulesBetween } from './firewall.ts'
import type { HostRoute } from './host-state.ts'
import { linkAddressOf, linkTo, type NetworkPlan6, ownBlocks6, planRoutes6 } from './ipv6-plan.ts'
import { planNetwork } from './network-plan.ts'
import { missingRoutes6 } from './routed-host6.ts'
import { runCommand } from './run-command.ts'

const config: NetworkConfig = {
  ...{ pool: '10.77.0.0/16', pools: ['10.77.0.0/16', '10.80.0.0/16'], block: '10.77.1.0/24' },
  peers: [
    { node: 'b', block: '10.77.2.0/24', via: '192.168.0.2' },
    // Its pool has no prefix.
    { node: 'c', block: '10.80.0.0/24', via: '192.168.0.3' },
  ],
  ...{ domain: 'berth', defaultPool: 'production' },
  twins: [
    { range: '10.77.0.0/16', ipv6: 'fd77:1::/64' },
    { range: '10.90.0.0/16', ipv6: 'fd90::/96' },
  ],
}
const plan = planNetwork(config)
const plan6 = plan.ipv6 as NetworkPlan6
const moved4 = (peers: NetworkConfig['peers']) => planNetwork({ ...config, addresses: ['10.77.2.7'], peers })
const lan: HostRoute = { dst: '192.168.0.0/24', dev: 'eth0', protocol: 'kernel', scope: 'link' }
const uplink: HostRoute = { dst: 'default', gateway: '192.168.0.254', dev: 'eth1' }
const ours: HostRoute = {
  ...{
    dst: 'fd77:1::a4d:200/120',
    gateway: 'fe80::be:c0a8:2',
    dev: 'eth0',
    protocol: '77',
    prefsrc: 'fd77:1::a4d:101',
  },
}

describe('the network of a node whose pool has IPv6', () => {
  it('is that of IPv4 over again', () => {
    expect(plan6).toEqual({
      pools: ['fd77:1::a4d:0/112', 'fd90::a5a:0/112'],
      block: 'fd77:1::a4d:100/120',
      gateway: 'fd77:1::a4d:101',
      ...{ addresses: [], away: [], twins: config.twins },
      peers: [{ node: 'b', block: 'fd77:1::a4d:200/120', addresses: [], via: 'fe80::be:c0a8:2', via4: '192.168.0.2' }],
    })
    expect(planNetwork({ ...config, block: '10.80.1.0/24', pool: '10.80.0.0/16' })).not.toHaveProperty('ipv6')
    expect(linkAddressOf('10.0.0.11')).toBe('fe80::be:a00:b')
  })

  it('leads to peers by the link by which they are reached', () => {
    expect(linkTo('192.168.0.2', [uplink, lan, { dst: '192.168.0.2', dev: 'tap0' }])).toBe('tap0')
    expect(linkTo('192.168.0.3', [uplink, lan, { dst: '192.168.0.2', dev: 'tap0' }])).toBe('eth0')
    expect(linkTo('192.168.1.3', [uplink, lan])).toBeUndefined()
  })

  it('has a route for each, and then nothing is left to do', () => {
    const routes4 = [uplink, lan]
    const route = [
      'fd77:1::a4d:200/120',
      'via',
      'fe80::be:c0a8:2',
      'dev',
      'eth0',
      'src',
      'fd77:1::a4d:101',
      'proto',
      '77',
    ]
    const set = [{ op: 'set', node: 'b', route }]
    expect(planRoutes6(plan6, { routes: [], routes4 }, false)).toEqual(set)
    expect(planRoutes6(plan6, { routes: [{ ...ours, dev: 'eth1' }], routes4 }, false)).toEqual(set)
    expect(planRoutes6(plan6, { routes: [ours], routes4 }, true)).toEqual([])
    expect(planRoutes6(plan6, { routes: [], routes4: [uplink] }, true)).toEqual([])
  })

  it('keeps routes to who is not named, until it is sure of that; and never touches those of others', () => {
    const absent = { ...ours, dst: 'fd77:1::a4d:900/120' }
    const foreign = { ...absent, protocol: 'static', dst: 'fd99::/64' }
    const routes = { routes: [ours, absent, foreign], routes4: [lan] }
    expect(planRoutes6(plan6, routes, false)).toEqual([])
    expect(planRoutes6(plan6, routes, true)).toEqual([{ op: 'remove', block: absent.dst }])
  })

  it('has routes to single addresses of other blocks, the same way as to blocks', () => {
    const peers = [
      { node: 'b', block: '10.77.2.0/24', via: '192.168.0.2', addresses: ['10.77.1.9', '10.77.3.9'] },
      { node: 'd', block: '10.77.3.0/24', via: '192.168.0.4' },
    ]
    const moved = planNetwork({ ...config, addresses: ['10.77.2.7'], peers }).ipv6 as NetworkPlan6
    expect(moved).toMatchObject({ addresses: ['fd77:1::a4d:207/128'], away: ['fd77:1::a4d:109/128'] })
    const targets = (routes: HostRoute[]) =>
      planRoutes6(moved, { routes, routes4: [lan] }, false).map((step) =>
        step.op === 'set' ? step.route.slice(0, 3).join(' ') : step.block,
      )
    expect(targets([])).toEqual([
      'fd77:1::a4d:200/120 via fe80::be:c0a8:2',
      'fd77:1::a4d:109/128 via fe80::be:c0a8:2',
      'fd77:1::a4d:309/128 via fe80::be:c0a8:2',
      'fd77:1::a4d:300/120 via fe80::be:c0a8:4',
    ])
    // Printed without its prefix; of a container here, which is on its way out; and of one that has come here since.
    const single = { ...ours, dst: 'fd77:1::a4d:309' }
    const here = { dst: 'fd77:1::a4d:109', dev: 'berth-0a4d0109', protocol: '78' }
    const former = { ...ours, dst: 'fd77:1::a4d:207' }
    expect(targets([ours, single, here, former])).toEqual([
      'fd77:1::a4d:207/128',
      'fd77:1::a4d:300/120 via fe80::be:c0a8:4',
    ])
    const table = renderTable(moved4(peers), '169.254.77.53', 'routed')
    expect(table).toContain('ip6 saddr { fd77:1::a4d:100/120, fd77:1::a4d:207/128 } ip6 daddr')
  })

  it('has a route for each container of its own that has lost it, in routed mode', () => {
    const link = 'berth-0a4d0109'
    const block: HostRoute = { type: 'unreachable', dst: 'fd77:1::a4d:100/120', dev: 'lo' }
    const source = ['src', 'fd77:1::a4d:101', 'proto', '78']
    expect(missingRoutes6(plan6, [link, 'berth-0a5a0001', 'berth-0b000001'], [])).toEqual([
      ['unreachable', 'fd77:1::a4d:100/120', 'proto', '78'],
      ['fd77:1::a4d:109/128', 'dev', link, ...source],
      ['fd90::a5a:1/128', 'dev', 'berth-0a5a0001', ...source],
    ])
    const wider = planNetwork({ ...config, blocks: ['10.77.9.0/28'] }).ipv6 as NetworkPlan6
    expect(missingRoutes6(wider, [], [block])).toEqual([['unreachable', 'fd77:1::a4d:900/124', 'proto', '78']])
    expect(missingRoutes6(plan6, [link], [block, { dst: 'fd77:1::a4d:109', dev: link }])).toEqual([])
  })

  it.each(['bridge', 'routed'] as const)(
    'has rules that nft and ip6tables take, and that are read back as they were written: %s',
    async (driver) => {
      const links = driver === 'bridge' ? 'berth0' : 'berth-*'
      const table = renderTable(plan, '169.254.77.53', driver)
      expect(table).toContain(
        `ip6 saddr fd77:1::a4d:100/120 ip6 daddr != { fd77:1::a4d:0/112, fd90::a5a:0/112 } oifname != "${links}" masquerade`,
      )
      expect(table.includes('fib saddr . iif oif missing drop')).toBe(driver === 'routed')
      const apart = (...argv: string[]) => runCommand('unshare', ['--net', ...argv])
      expect(await apart('sh', '-c', 'printf %s "$1" | nft -f -', 'sh', table)).toMatchObject({ code: 0, stderr: '' })
      const rules = ownBlocks6(plan6).flatMap((block) => rulesBetween({ pools: plan6.pools, block }, driver))
      const script =
        'ip6tables -N DOCKER-USER; for rule; do ip6tables -A DOCKER-USER $rule; done; ip6tables -S DOCKER-USER'
      const { stdout, stderr } = await apart('sh', '-c', script, 'sh', ...rules)
      expect(stderr).toBe('')
      expect(stdout.trim().split('\n')).toEqual(['-N DOCKER-USER', ...rules.map((rule) => `-A DOCKER-USER ${rule}`)])
    },
  )
})

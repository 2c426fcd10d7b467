import { describe, expect, it } from 'vitest'
import { forwardRules, renderTable } from './firewall.ts'
import { planNetwork } from './network-plan.ts'
import { runCommand } from './run-command.ts'

const plan = planNetwork({
  pool: '10.77.0.0/16',
  block: '10.77.3.0/24',
  peers: [],
  domain: 'berth',
  defaultPool: 'production',
})
const several = planNetwork({
  ...{ pool: '10.77.0.0/16', pools: ['10.77.0.0/16', '10.80.0.0/16'], block: '10.77.3.0/24', peers: [] },
  ...{ domain: 'berth', defaultPool: 'production' },
})
const moved = planNetwork({
  ...{ pool: '10.77.0.0/16', block: '10.77.3.0/24', addresses: ['10.77.9.7', '10.77.8.3'], peers: [] },
  ...{ domain: 'berth', defaultPool: 'production' },
})
const drivers = ['bridge', 'routed'] as const

/** In a network namespace of its own, which goes with the program. */
const apart = (...argv: string[]) => runCommand('unshare', ['--net', ...argv])

describe('the rules of a node', () => {
  it.each(
    drivers.flatMap((driver) => [
      ['one pool', plan, driver] as const,
      ['several pools', several, driver] as const,
      ['addresses of other blocks', moved, driver] as const,
    ]),
  )('are what nft takes: %s, %s %s', async (_, each, driver) => {
    const table = renderTable(each, '169.254.77.53', driver, ['docker0', 'br-0123456789ab'])
    const script = 'printf %s "$1" | nft -f - && nft list table inet berth'
    const { code, stdout, stderr } = await apart('sh', '-c', script, 'sh', table)
    expect(stderr).toBe('')
    expect(code).toBe(0)
    expect(stdout).toContain('masquerade')
  })

  it.each(drivers)(
    'are read back as they were written, or they would be written again and again: %s',
    async (driver) => {
      const rules = [...forwardRules(several, driver, ['docker0']), ...forwardRules(moved, driver)]
      const script =
        'iptables -N DOCKER-USER; for rule; do iptables -A DOCKER-USER $rule; done; iptables -S DOCKER-USER'
      const { stdout, stderr } = await apart('sh', '-c', script, 'sh', ...rules)
      expect(stderr).toBe('')
      expect(stdout.trim().split('\n')).toEqual(['-N DOCKER-USER', ...rules.map((rule) => `-A DOCKER-USER ${rule}`)])
    },
  )

  it('are those of the bridge unless told otherwise', () => {
    expect(renderTable(plan, '169.254.77.53')).toContain('iifname != { "lo", "berth0" } drop')
    expect(renderTable(plan, '169.254.77.53')).not.toContain('forward')
    expect(forwardRules(plan)).toEqual([
      '-d 10.77.3.0/24 -o berth0 -m conntrack --ctstate DNAT -m comment --comment berth -j ACCEPT',
      '-s 10.77.0.0/16 -d 10.77.3.0/24 -o berth0 -m comment --comment berth -j ACCEPT',
      '-s 10.77.3.0/24 -d 10.77.0.0/16 -i berth0 -m comment --comment berth -j ACCEPT',
    ])
  })

  it('translate nothing between pools, and nothing at all where the pool says so', () => {
    expect(renderTable(several, '169.254.77.53')).toContain(
      'ip saddr 10.77.3.0/24 ip daddr != { 10.77.0.0/16, 10.80.0.0/16 } oifname != "berth0" masquerade',
    )
    expect(renderTable({ ...several, natOutgoing: false }, '169.254.77.53')).not.toContain('masquerade')
    expect(forwardRules(several)).toContain(
      '-s 10.80.0.0/16 -d 10.77.3.0/24 -o berth0 -m comment --comment berth -j ACCEPT',
    )
  })

  it('give what the node itself sends to instances of others an address of its block', () => {
    expect(renderTable({ ...several, natOutgoing: false }, '169.254.77.53')).toContain(
      'ip saddr != { 10.77.0.0/16, 10.80.0.0/16 } ip daddr { 10.77.0.0/16, 10.80.0.0/16 } ip daddr != 10.77.3.0/24 oifname != "berth0" fib saddr type local snat ip to 10.77.3.1',
    )
  })

  it('hold for single addresses of other blocks that instances here have', () => {
    expect(renderTable(moved, '169.254.77.53', 'routed')).toContain(
      'ip saddr { 10.77.3.0/24, 10.77.9.7/32, 10.77.8.3/32 } ip daddr != 10.77.0.0/16 oifname != "berth-*" masquerade',
    )
    const rules = forwardRules(moved, 'routed')
    expect(rules).toContain('-s 10.77.0.0/16 -d 10.77.9.7/32 -o berth-+ -m comment --comment berth -j ACCEPT')
    expect(rules).toContain('-s 10.77.8.3/32 -i berth-+ -m comment --comment berth -j ACCEPT')
  })

  it("keep routed containers apart from Docker's own networks, as Docker keeps those apart from each other", () => {
    const table = renderTable(plan, '169.254.77.53', 'routed')
    for (const bridge of ['docker0', 'br-*'])
      expect(table).toContain(`iifname "berth-*" oifname "${bridge}" ct state new ct status & dnat == 0 drop`)
  })

  it('let what has a link to its node alone begin nothing by it, and answer everybody who comes by its node', () => {
    const table = renderTable(plan, '169.254.77.53', 'routed')
    expect(table).toContain('iifname "berth-a9fe5*" ct state new drop')
    expect(table).toContain('oifname "berth-a9fe5*" ip saddr != 169.254.77.1 snat ip to 169.254.77.1')
    expect(renderTable(plan, '169.254.77.53')).not.toContain('a9fe5')
  })

  it.each(drivers)(
    'give what is in a bridge of Docker’s the node’s address in the pool towards others: %s',
    (driver) => {
      expect(renderTable(several, '169.254.77.53', driver, ['docker0', 'br-7'])).toContain(
        `iifname { "docker0", "br-7" } oifname != "${driver === 'bridge' ? 'berth0' : 'berth-*'}" ip daddr { 10.77.0.0/16, 10.80.0.0/16 } snat ip to 10.77.3.1\n`,
      )
      expect(renderTable(several, '169.254.77.53', driver)).not.toContain('chain guests')
    },
  )

  it('let instances in a bridge of Docker’s ask for names, reach those of the node, and be reached where a port is published', () => {
    expect(renderTable(plan, '169.254.77.53', 'bridge', ['docker0'])).toContain(
      'iifname != { "lo", "berth0", "docker0" } drop',
    )
    expect(renderTable(plan, '169.254.77.53', 'routed', ['docker0'])).toContain(
      'iifname != { "lo", "docker0" } iifname != "berth-*" drop',
    )
    const rules = forwardRules(plan, 'bridge', ['docker0']).filter((rule) => rule.includes('docker0'))
    expect(rules).toEqual([
      '-d 10.77.3.0/24 -i docker0 -o berth0 -m comment --comment berth -j ACCEPT',
      '-s 10.77.3.0/24 -i berth0 -o docker0 -m conntrack --ctstate RELATED,ESTABLISHED,DNAT -m comment --comment berth -j ACCEPT',
    ])
  })
})

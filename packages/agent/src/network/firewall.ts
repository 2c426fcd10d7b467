import { formatBlock, type NetworkDriver, nodeLinkPattern, routedGateway, routedLinkPrefix } from '@berth/core'
import { ownBlocks6 } from './ipv6-plan.ts'
import { bridgeName, type NetworkPlan, ownBlocks } from './network-plan.ts'
import { type Exec, mustRun } from './run-command.ts'

const table = 'inet berth'
const chain = 'DOCKER-USER'
const comment = 'berth'

/** Our containers' interfaces on the host, in the words of nft and of iptables. */
const linkPatterns = {
  bridge: { nft: bridgeName, iptables: bridgeName },
  routed: { nft: `${routedLinkPrefix}*`, iptables: `${routedLinkPrefix}+` },
} as const satisfies Record<NetworkDriver, object>

/** Docker's own bridges, which it keeps apart from others by knowing each: of our routed containers it knows nothing. */
const dockerBridges = ['docker0', 'br-*']

/**
 * Our nftables table, replaced as a whole in one transaction. Instances keep their address inside the pool and take the node's only
 * towards the rest of the world. DNS answers this node's instances and the node itself, not its neighbours; and while nobody serves it,
 * askers hear nothing: told that the port is closed, a libc makes all its tries at once and fails, instead of trying again a second later.
 */
export function renderTable(
  plan: NetworkPlan,
  dnsAddress: string,
  driver: NetworkDriver = 'bridge',
  bridges: readonly string[] = [],
): string {
  const links = linkPatterns[driver].nft
  return `add table ${table}
delete table ${table}
table ${table} {
  chain postrouting {
    type nat hook postrouting priority srcnat; policy accept;
${driver === 'routed' ? toLinks : ''}${ownSource(plan, links)}${masquerade(plan, links)}  }
${guests(plan, links, bridges)}  chain input {
    type filter hook input priority filter; policy accept;
    ip daddr ${dnsAddress} ${outsideOf(driver, bridges)} drop
  }
  chain output {
    type filter hook output priority filter; policy accept;
    ip saddr ${dnsAddress} icmp type destination-unreachable drop
  }
${driver === 'routed' ? isolation(links) : ''}${driver === 'routed' && plan.ipv6 !== undefined ? sources6(links) : ''}}
`
}

/**
 * What the node itself sends to instances of others bears an address of its block, which their nodes let pass. A route of ours says so; where there is
 * none (a provider's router knows the way) the kernel takes the address of the link.
 */
function ownSource(plan: NetworkPlan, links: string): string {
  const [own, all] = [anyOf(ownBlocks(plan).map(formatBlock)), anyOf(plan.pools.map(formatBlock))]
  const isElsewhere = `ip daddr ${all} ip daddr != ${own} oifname != "${links}"`
  return `    ip saddr != ${all} ${isElsewhere} fib saddr type local snat ip to ${plan.gateway}\n`
}

function masquerade(plan: NetworkPlan, links: string): string {
  const { natOutgoing, pools, ipv6 } = plan
  if (!natOutgoing) return ''
  const rule = (ip: 'ip' | 'ip6', from: readonly string[], all: readonly string[]): string =>
    `    ${ip} saddr ${anyOf(from)} ${ip} daddr != ${anyOf(all)} oifname != "${links}" masquerade\n`
  const first = rule('ip', ownBlocks(plan).map(formatBlock), pools.map(formatBlock))
  return ipv6 === undefined ? first : `${first}${rule('ip6', ownBlocks6(ipv6), ipv6.pools)}`
}

/**
 * What is in a bridge of Docker's bears the node's address in the pool towards instances of others, as the node's own programs do: other nodes let in
 * what is of the pool. Docker, whose turn is after, would give it the address of the link to them.
 */
function guests({ gateway, pools }: NetworkPlan, links: string, bridges: readonly string[]): string {
  if (bridges.length === 0) return ''
  const from = anyOf(bridges.map((each) => `"${each}"`))
  return `  chain guests {
    type nat hook postrouting priority srcnat - 1; policy accept;
    iifname ${from} oifname != "${links}" ip daddr ${anyOf(pools.map(formatBlock))} snat ip to ${gateway}
  }
`
}

/**
 * Who is in a network of the machines' own answers its node by their link and everybody else by that network: whoever sends to it by way of its node
 * bears the one address that its link leads to.
 */
const toLinks = `    oifname "${nodeLinkPattern}" ip saddr != ${routedGateway} snat ip to ${routedGateway}\n`

/** In nft's words. */
const anyOf = (all: readonly string[]): string => (all.length === 1 ? all.join() : `{ ${all.join(', ')} }`)

/** A pattern cannot stand in a set. */
function outsideOf(driver: NetworkDriver, bridges: readonly string[]): string {
  const links = ['lo', ...(driver === 'bridge' ? [bridgeName] : []), ...bridges].map((each) => `"${each}"`)
  const pattern = driver === 'bridge' ? '' : ` iifname != "${linkPatterns.routed.nft}"`
  return `iifname != { ${links.join(', ')} }${pattern}`
}

/** Published ports of others are reached, as from anywhere. */
const isolation = (links: string): string => `  chain forward {
    type filter hook forward priority filter; policy accept;
${dockerBridges.map((bridge) => `    iifname "${links}" oifname "${bridge}" ct state new ct status & dnat == 0 drop`).join('\n')}
    iifname "${nodeLinkPattern}" ct state new drop
  }
`

/** What bears another's address is dropped, as the kernel's `rp_filter` does it for IPv4 alone. */
const sources6 = (links: string): string => `  chain sources6 {
    type filter hook prerouting priority raw; policy accept;
    iifname "${links}" ip6 saddr != { ::, fe80::/10 } fib saddr . iif oif missing drop
  }
`

export async function removeTable(exec: Exec, signal?: AbortSignal): Promise<void> {
  await mustRun(exec, 'nft', ['-f', '-'], { input: `add table ${table}\ndelete table ${table}\n`, signal })
}

export const forwardRules = (
  plan: NetworkPlan,
  driver: NetworkDriver = 'bridge',
  bridges: readonly string[] = [],
): readonly string[] =>
  ownBlocks(plan).flatMap((own) =>
    rulesBetween({ pools: plan.pools.map(formatBlock), block: formatBlock(own) }, driver, bridges),
  )

/**
 * As `iptables -S` and `ip6tables -S` print them, so that wanted and found can be compared as text. `bridges`: Docker's, whose instances reach the others
 * of this node and are reached by them at published ports, as Docker would have it from another machine.
 */
export function rulesBetween(
  { pools, block }: { readonly pools: readonly string[]; readonly block: string },
  driver: NetworkDriver,
  bridges: readonly string[] = [],
): readonly string[] {
  const links = linkPatterns[driver].iptables
  const tail = `-m comment --comment ${comment} -j ACCEPT`
  const inbound = pools.map((pool) => `-s ${pool} -d ${block} -o ${links} ${tail}`)
  // What came to a published port.
  const published = `-d ${block} -o ${links} -m conntrack --ctstate DNAT ${tail}`
  const between = bridges.flatMap((bridge) => [
    `-d ${block} -i ${bridge} -o ${links} ${tail}`,
    `-s ${block} -i ${links} -o ${bridge} -m conntrack --ctstate RELATED,ESTABLISHED,DNAT ${tail}`,
  ])
  const common = [published, ...inbound, ...between]
  if (driver === 'bridge') return [...common, ...pools.map((pool) => `-s ${block} -d ${pool} -i ${links} ${tail}`)]
  // To the outside and back, which Docker itself sees to for a bridge of its own.
  const back = `-d ${block} -o ${links} -m conntrack --ctstate RELATED,ESTABLISHED ${tail}`
  return [...common, `-s ${block} -i ${links} ${tail}`, back]
}

const isOurs = (rule: string): boolean => rule.includes(`--comment ${comment} `)

/** Docker's rules of IPv4 and of IPv6. */
export type TablesProgram = 'iptables' | 'ip6tables'

/**
 * Lets the pool's addresses reach each other through the node. Docker drops what it does not know from being forwarded, and an accept
 * of an nftables table cannot overrule that; DOCKER-USER is the chain that Docker leaves to others and asks first. It is made here
 * where Docker has not made it yet (or, told not to use iptables, never does); Docker keeps what it finds.
 */
export async function ensureForwardRules(
  exec: Exec,
  rules: readonly string[],
  signal?: AbortSignal,
  program: TablesProgram = 'iptables',
): Promise<void> {
  const found = await readForwardRules(exec, signal, program)
  if (found === undefined) await mustRun(exec, program, ['-w', '5', '-N', chain], { signal })
  const jump = await exec(program, ['-w', '5', '-C', 'FORWARD', '-j', chain], { signal })
  if (jump.code !== 0) await mustRun(exec, program, ['-w', '5', '-I', 'FORWARD', '1', '-j', chain], { signal })
  for (const rule of rules) {
    if (found?.includes(rule)) continue
    await mustRun(exec, program, ['-w', '5', '-I', chain, '1', ...rule.split(' ')], { signal })
  }
  const outdated = found?.filter((rule) => isOurs(rule) && !rules.includes(rule)) ?? []
  for (const rule of outdated) await mustRun(exec, program, ['-w', '5', '-D', chain, ...rule.split(' ')], { signal })
}

export async function removeForwardRules(
  exec: Exec,
  signal?: AbortSignal,
  program: TablesProgram = 'iptables',
): Promise<void> {
  const ours = (await readForwardRules(exec, signal, program))?.filter(isOurs) ?? []
  for (const rule of ours) await mustRun(exec, program, ['-w', '5', '-D', chain, ...rule.split(' ')], { signal })
}

/** undefined when there is no such chain. */
async function readForwardRules(
  exec: Exec,
  signal: AbortSignal | undefined,
  program: TablesProgram,
): Promise<string[] | undefined> {
  const { code, stdout } = await exec(program, ['-w', '5', '-S', chain], { signal })
  if (code !== 0) return undefined
  const prefix = `-A ${chain} `
  return stdout.split('\n').flatMap((line) => (line.startsWith(prefix) ? [line.slice(prefix.length)] : []))
}

import { execFileSync } from 'node:child_process'
import {
  type AddressChange,
  type AddressSet,
  changeAddresses,
  compilePolicy,
  formatAddress,
  type NodePolicy,
  noAddresses,
  type PolicyTable,
  type Profile,
  readProfile,
  renderTable,
  renderTableChange,
} from '@berth/core'
import { type Figure, type FigureContext, type FigureResult, median, percentile } from '../figure.ts'
import { type Times, timed } from '../schedule/measure.ts'

const profileCount = 1000
const addressCount = 100_000
/** On the node: as many as its block holds. */
const localCount = 253
const samples = 9
const changes = 200
const wantedMs = 1000
const wantedChangeMs = 5
const wholeTag = 'everybody'

/**
 * A node that knows a thousand profiles, each with its own tag and a rule about its neighbour's, and one tag that all bear. Compiled from
 * nothing; then single addresses join and leave the largest and a small tag.
 */
export const figure: Figure = {
  name: 'policy-compile',
  description: `${profileCount} profiles with ${addressCount} tagged addresses to the text of one nftables batch`,
  unit: 'ms',
  peer: 'the bound',
  peerKind: 'none',
  target: `<= ${wantedMs}, a change of members < ${wantedChangeMs} ms`,
  run,
}

async function run({ signal, log }: FigureContext): Promise<FigureResult> {
  const times: number[] = []
  const cpuTimes: number[] = []
  for (let sample = 1; sample <= samples && !signal.aborted; sample++) {
    const policy = makePolicy()
    const took = timed(() => renderTable(compilePolicy(policy)))
    times.push(took.wallMs)
    cpuTimes.push(took.cpuMs)
  }
  const policy = makePolicy()
  const large = changeTimes(policy, wholeTag)
  const small = changeTimes(policy, 'tag-7')
  const worst = Math.max(...[large, small].map((each) => median(each.map(({ wallMs }) => wallMs))))
  log('compiled; now the kernel')
  const ours = median(times)
  return {
    ours,
    peer: wantedMs,
    ratio: ours / wantedMs,
    ok: ours <= wantedMs && worst < wantedChangeMs,
    samples: times,
    notes: [
      `${median(cpuTimes).toFixed(0)} ms of processor time`,
      `a change of members, median and p99 of ${changes}: ${spread(large)} where all ${addressCount} bear the tag, ${spread(small)} where ${addressCount / profileCount} do`,
      ...kernelNotes(policy),
    ],
  }
}

const spread = (times: readonly Times[]): string => {
  const walls = times.map(({ wallMs }) => wallMs)
  const cpuMs = times.reduce((sum, each) => sum + each.cpuMs, 0) / times.length
  return `${median(walls).toFixed(2)} and ${percentile(walls, 99).toFixed(2)} ms (${cpuMs.toFixed(2)} ms of processor time)`
}
const addressOf = (index: number): number => 0x0a4d0002 + index

function makePolicy(): NodePolicy {
  const profiles = new Map<string, Profile>()
  const members = new Map<string, AddressSet>()
  const perTag = addressCount / profileCount
  for (let index = 0; index < profileCount; index++) {
    const inbound = [`from tag-${index}`, `tcp:8080 from tag-${(index + 1) % profileCount}`, `icmp:8 from ${wholeTag}`]
    const { profile } = readProfile({
      name: `profile-${index}`,
      tags: [`tag-${index}`, wholeTag],
      inbound,
      outbound: ['deny tcp:25', 'allow'],
    })
    if (profile !== undefined) profiles.set(profile.name, profile)
    members.set(
      `tag-${index}`,
      Uint32Array.from({ length: perTag }, (_, n) => addressOf(index * perTag + n)),
    )
  }
  members.set(
    wholeTag,
    Uint32Array.from({ length: addressCount }, (_, n) => addressOf(n)),
  )
  const endpoints = new Map(
    Array.from({ length: localCount }, (_, n) => [formatAddress(addressOf(n)), [`profile-${n}`]]),
  )
  return { profiles, members, endpoints, gateways: noAddresses }
}

/** Of one address that comes, or goes again, from the sets to the text of the batch. */
function changeTimes(policy: NodePolicy, tag: string): Times[] {
  let members = policy.members
  let table: PolicyTable = compilePolicy(policy)
  return Array.from({ length: changes }, (_, turn) => {
    const address = addressOf(addressCount + (turn >> 1))
    const change: AddressChange = turn % 2 === 0 ? { added: [address], removed: [] } : { added: [], removed: [address] }
    let next = table
    let text: string | undefined
    const took = timed(() => {
      members = new Map(members).set(tag, changeAddresses(members.get(tag) ?? noAddresses, change))
      next = compilePolicy({ ...policy, members })
      text = renderTableChange(table, next)
    })
    if (text === undefined) throw new Error('a change of members gave no batch')
    table = next
    return took
  })
}

/** In a network namespace that ends with the command. */
function kernelNotes(policy: NodePolicy): string[] {
  const table = compilePolicy(policy)
  const more = new Map(policy.members).set(
    'tag-7',
    changeAddresses(policy.members.get('tag-7') ?? noAddresses, { added: [1], removed: [] }),
  )
  const change = renderTableChange(table, compilePolicy({ ...policy, members: more })) ?? ''
  const script = 'nft -f -; for n in 1 2 3 4 5; do date +%s%N; printf %s "$CHANGE" | nft -f -; date +%s%N; done'
  try {
    const begin = performance.now()
    const output = execFileSync('unshare', ['--net', 'sh', '-ec', script], {
      ...{ input: renderTable(table), encoding: 'utf8', env: { ...process.env, CHANGE: change }, timeout: 60_000 },
    })
    const stamps = output.trim().split('\n').map(Number)
    const wholeMs = performance.now() - begin
    const single = [0, 2, 4, 6, 8].map((at) => ((stamps[at + 1] ?? 0) - (stamps[at] ?? 0)) / 1e6)
    return [
      `nft takes ${Math.round(wholeMs - single.reduce((a, b) => a + b, 0))} ms for the whole batch, ${median(single).toFixed(1)} ms for a change of members`,
    ]
  } catch {
    return ['nft was not measured: that needs root and nftables']
  }
}

import { isIP } from 'node:net'
import { BerthError } from '@berth/core'

/** What is wrong with a host's cable. Nothing of it: it is well. */
export interface LinkFaults {
  /** Percent of the packets to the host that never arrive. */
  readonly lossIn?: number
  /** Percent of those that it sends. */
  readonly lossOut?: number
  readonly cuts?: readonly LinkCut[]
}

/** Packets that never arrive, while all others do: an agent cut off from servers, and not from traffic. */
export interface LinkCut {
  /** `out`: what the host sends; `in`: what is sent to it. Default: both. */
  readonly way?: 'in' | 'out' | 'both'
  /** The other side. Default: everybody. */
  readonly address?: string
  /** Of TCP, at either end. Default: everything. */
  readonly port?: number
}

/**
 * Rules for `nft -f -` in the switch's network namespace, in place of those that the host had, in one transaction. They are at the
 * host's port of the bridge: nothing that runs in the host sees them or takes them away, and a reboot does not mend a cable.
 */
export function linkFaultRules(host: string, faults: LinkFaults): string {
  const { lossIn = 0, lossOut = 0, cuts = [] } = faults
  const out = [...loss(host, 'iifname', lossOut), ...cuts.flatMap((cut) => cutRules(host, cut, 'out'))]
  const into = [...loss(host, 'oifname', lossIn), ...cuts.flatMap((cut) => cutRules(host, cut, 'in'))]
  const remove = [`table bridge ${host}`, `delete table bridge ${host}`]
  if (out.length + into.length === 0) return `${remove.join('\n')}\n`
  return `${[
    ...remove,
    `table bridge ${host} {`,
    'chain out {',
    'type filter hook prerouting priority -300',
    ...out,
    '}',
    'chain in {',
    'type filter hook postrouting priority 300',
    ...into,
    '}',
    '}',
  ].join('\n')}\n`
}

function loss(host: string, side: 'iifname' | 'oifname', percent: number): string[] {
  if (!(percent >= 0 && percent <= 100)) throw wrong(host, `${percent} % of loss: give a number from 0 to 100`)
  const perMille = Math.round(percent * 10)
  if (perMille === 1000) return [`${side} "${host}" drop`]
  return perMille === 0 ? [] : [`${side} "${host}" numgen random mod 1000 < ${perMille} drop`]
}

function cutRules(host: string, { way = 'both', address, port }: LinkCut, direction: 'in' | 'out'): string[] {
  if (address !== undefined && isIP(address) !== 4) throw wrong(host, `${address} is no IPv4 address`)
  if (port !== undefined && !(Number.isInteger(port) && port >= 1 && port <= 65_535))
    throw wrong(host, `${port} is no port`)
  if (way !== 'both' && way !== direction) return []
  const [side, peer] = direction === 'out' ? ['iifname', 'daddr'] : ['oifname', 'saddr']
  const start = `${side} "${host}"${address === undefined ? '' : ` ip ${peer} ${address}`}`
  if (port === undefined) return [`${start} drop`]
  return ['dport', 'sport'].map((end) => `${start} tcp ${end} ${port} drop`)
}

const wrong = (host: string, why: string): BerthError =>
  new BerthError('lab.link-faults', `faults of the link of host ${host}: ${why}`)

/** `out,10.213.1.1:7601`, `10.213.1.1`, `:7601`, `in,:80` */
export function parseCut(text: string): LinkCut {
  const match = /^(?:(in|out|both),)?([0-9.]+)?(?::(\d+))?$/.exec(text)
  if (match === null || text === '')
    throw new BerthError('lab.usage', `--cut ${text}: write it as [in,|out,]ADDRESS[:PORT], or :PORT`)
  const [, way, address, port] = match
  return {
    ...(way === undefined ? {} : { way: way as 'in' | 'out' | 'both' }),
    ...(address === undefined ? {} : { address }),
    ...(port === undefined ? {} : { port: Number(port) }),
  }
}

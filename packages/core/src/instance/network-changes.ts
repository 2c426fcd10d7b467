import type { Assignment } from '../model/assignment.ts'
import type { NetworkAttachment } from '../model/instance.ts'
import { lanOf, nodeLinkNetwork } from '../network/network-mode.ts'
import type { InstanceMemory, ObservedContainer } from './instance-state.ts'

export interface NetworkChanges {
  /** First, since what is to have another address is among them. */
  readonly detach: readonly string[]
  readonly attach: readonly NetworkAttachment[]
}

/** All that its container is to be in beside its own network. */
export const attachmentsOf = ({ network, networks }: Pick<Assignment, 'network' | 'networks'>) =>
  lanOf(network) === undefined ? networks : [{ name: nodeLinkNetwork }, ...(networks ?? [])]

/** What makes the container be in the wanted networks. Those that somebody else has put it into stay. */
export function networkChanges(
  wanted: readonly NetworkAttachment[] = [],
  { networks = [] }: Pick<ObservedContainer, 'networks'>,
  { attached = [] }: Pick<InstanceMemory, 'attached'>,
): NetworkChanges {
  const shown = new Map(networks.map((each) => [each.name, each]))
  const attach = wanted.filter(({ name, address }) => {
    const found = shown.get(name)
    return found === undefined || (address !== undefined && found.asked !== address)
  })
  const left = attached.filter((name) => shown.has(name) && !wanted.some((each) => each.name === name))
  return { attach, detach: [...left, ...attach.flatMap(({ name }) => (shown.has(name) ? [name] : []))] }
}

export function isAttached(...args: Parameters<typeof networkChanges>): boolean {
  const { attach, detach } = networkChanges(...args)
  return attach.length === 0 && detach.length === 0
}

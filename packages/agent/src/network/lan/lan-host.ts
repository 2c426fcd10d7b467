import { BerthError, linkOf, type NodeLan } from '@berth/core'
import { ownAddresses } from '../../publishing/publish-host.ts'
import { readLink } from '../host-state.ts'
import { type Exec, mustRun } from '../run-command.ts'
import { isUnknownKind, ownAddressIn, ownAlias, vlanCommands } from './lan-plan.ts'

/** What a machine must have before containers can be in a network of its own. */
export class LanHost {
  readonly #exec: Exec

  constructor(exec: Exec) {
    this.#exec = exec
  }

  /**
   * Finds the interface, and makes its VLAN's where that is missing. Throws `lan.parent-missing`, `lan.parent-down`, `lan.no-vlans`,
   * `lan.own-address`, `lan.parent-busy`, `network.command-failed`.
   */
  async prepare(lan: NodeLan, signal?: AbortSignal): Promise<void> {
    const { name, parent } = lan
    const link = await readLink(this.#exec, parent, signal)
    if (link === undefined)
      throw new BerthError(
        'lan.parent-missing',
        `network ${name}: this node has no interface ${parent} (ip link); connect it, or let the network be for other nodes only`,
      )
    if (!link.up)
      throw new BerthError(
        'lan.parent-down',
        `network ${name}: the interface ${parent} of this node is down; take it up (ip link set ${parent} up), lastingly in its network configuration`,
      )
    const own = ownAddressIn(lan, await ownAddresses(this.#exec, signal))
    if (own !== undefined)
      throw new BerthError(
        'lan.own-address',
        `network ${name}: this node itself has ${own}, which is one of ${lan.range} that containers are given; give the node another one, or make the network anew with a --range that no machine is in`,
      )
    await this.#ensureVlan(lan, signal)
    if (lan.mode === 'macvlan') await this.#requireFree(lan, signal)
  }

  /** Takes a link away that {@link prepare} has made; others stay. */
  async release(link: string, signal?: AbortSignal): Promise<void> {
    const [found] = await this.#links(link, signal)
    if (found?.ifalias === ownAlias) await mustRun(this.#exec, 'ip', ['link', 'delete', 'dev', link], { signal })
  }

  async #ensureVlan(lan: NodeLan, signal: AbortSignal | undefined): Promise<void> {
    const commands = vlanCommands(lan)
    if (commands === undefined || (await this.#links(linkOf(lan), signal)).length > 0) return
    for (const args of commands) {
      const { code, stderr } = await this.#exec('ip', args, { signal })
      if (code === 0) continue
      if (isUnknownKind(stderr))
        throw new BerthError(
          'lan.no-vlans',
          `network ${lan.name}: the kernel of this node knows no VLANs (802.1q); load its module (modprobe 8021q), or use a kernel that has it`,
        )
      throw new BerthError('network.command-failed', `network ${lan.name}: ip ${args.join(' ')}: ${stderr.trim()}`)
    }
  }

  /** The kernel makes no macvlan on a port of a bridge or bond, which Docker finds out with the first container. */
  async #requireFree(lan: NodeLan, signal: AbortSignal | undefined): Promise<void> {
    const [link] = await this.#links(linkOf(lan), signal)
    if (link?.master === undefined) return
    throw new BerthError(
      'lan.parent-busy',
      `network ${lan.name}: ${linkOf(lan)} of this node is a part of ${link.master}, so no macvlan can be on it; name ${link.master} as its interface, or make the network flat`,
    )
  }

  async #links(name: string, signal: AbortSignal | undefined): Promise<LinkOutput[]> {
    const { code, stdout } = await this.#exec('ip', ['-json', 'link', 'show', 'dev', name], { signal })
    return code === 0 && stdout.trim() !== '' ? (JSON.parse(stdout) as LinkOutput[]) : []
  }
}

interface LinkOutput {
  readonly ifalias?: string
  readonly master?: string
}

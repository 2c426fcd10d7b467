import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { BerthError } from '@berth/core'
import type { LabNames } from './addresses.ts'
import type { CgroupTree } from './cgroup-tree.ts'
import { mustRun, runCommand } from './command.ts'
import { type LinkFaults, linkFaultRules } from './link-faults.ts'
import { startFirstProcess } from './namespace-process.ts'

const SWITCH_SCRIPT = join(import.meta.dirname, 'switch-init.sh')
const UPLINK = 'uplink'

export const netnsOf = (pid: number): string => `/proc/${pid}/ns/net`

/** Runs `ip -batch` with these lines in the network namespace of a process; all of them or an error naming the first that failed. */
const ipBatch = (pid: number, lines: readonly string[]): Promise<string> =>
  mustRun(['nsenter', `--net=${netnsOf(pid)}`, 'ip', '-batch', '-'], { input: `${lines.join('\n')}\n` })

/**
 * The lab's layer 2: a bridge in a network namespace of its own, since in the machine's a Docker Engine's filter rules would drop what
 * passes it. The machine's own namespace is plugged in by one veth pair.
 */
export class LabSwitch {
  readonly pid: number
  readonly #names: LabNames

  constructor(names: LabNames, pid: number) {
    this.#names = names
    this.pid = pid
  }

  static async start(names: LabNames, cgroup: CgroupTree, dir: string, signal?: AbortSignal): Promise<LabSwitch> {
    const ready = join(dir, 'switch-ready')
    const pid = await startFirstProcess({
      cgroup,
      unshare: ['--net'],
      argv: ['/bin/sh', SWITCH_SCRIPT, names.routerCidr, ready],
      logFile: join(dir, 'switch.log'),
      isReady: () => existsSync(ready),
      what: `the switch of lab ${names.index}`,
      signal,
    })
    return new LabSwitch(names, pid)
  }

  async plugInMachine(): Promise<void> {
    const { link, serverCidr } = this.#names
    await mustRun(['ip', 'link', 'add', link, 'type', 'veth', 'peer', 'name', UPLINK, 'netns', String(this.pid)])
    await mustRun(['ip', 'address', 'add', serverCidr, 'dev', link])
    await mustRun(['ip', 'link', 'set', link, 'up'])
    await ipBatch(this.pid, [`link set ${UPLINK} master br0 up`])
  }

  /** Gives the host whose first process is `initPid` its eth0. */
  async plugIn(name: string, initPid: number, address: string): Promise<void> {
    // After a power cut the old pair goes with the old namespace, but only some moments later.
    await runCommand(['nsenter', `--net=${netnsOf(this.pid)}`, 'ip', 'link', 'delete', name])
    await ipBatch(this.pid, [
      `link add ${name} type veth peer name eth0 address ${macOf(address)} netns ${initPid}`,
      `link set ${name} master br0 up`,
    ])
    await ipBatch(initPid, [
      `address add ${address}/24 dev eth0`,
      'link set eth0 up',
      `route add default via ${this.#names.routerAddress}`,
    ])
  }

  async setLink(name: string, state: 'up' | 'down'): Promise<void> {
    await ipBatch(this.pid, [`link set ${name} ${state}`])
  }

  async setFaults(name: string, faults: LinkFaults): Promise<void> {
    await mustRun(['nsenter', `--net=${netnsOf(this.pid)}`, 'nft', '-f', '-'], { input: linkFaultRules(name, faults) })
  }

  async addRoute(cidr: string, via: string): Promise<void> {
    const result = await runCommand(['ip', 'route', 'add', cidr, 'via', via, 'dev', this.#names.link])
    if (result.code === 0) return
    throw new BerthError(
      'lab.route',
      `route ${cidr} via ${via}: ${result.stderr.trim()}; take subnets from this lab's container pool ${this.#names.containerPool}`,
    )
  }
}

/** As a real machine's, a host's hardware address is the same after a reboot: neighbours remember it. */
const macOf = (address: string): string => {
  const bytes = address.split('.').map((byte) => Number(byte).toString(16).padStart(2, '0'))
  return `02:be:${bytes.join(':')}`
}

/** Takes the machine out of a lab, with its routes; no error when it is out already. */
export const unplugMachine = async (names: LabNames): Promise<void> => {
  if (existsSync(`/sys/class/net/${names.link}`)) await runCommand(['ip', 'link', 'delete', names.link])
}

import { readFile, writeFile } from 'node:fs/promises'
import { BerthError, messageOf } from '@berth/core'
import { bridgeName } from '../network/network-plan.ts'
import type { Exec } from '../network/run-command.ts'

/** Of IPv4, and of IPv6. */
const settings = ['/proc/sys/net/bridge/bridge-nf-call-iptables', '/proc/sys/net/bridge/bridge-nf-call-ip6tables']

/**
 * Instances on one bridge reach each other below IP, and no rule about forwarding sees it, unless the kernel is told to show it. Where there is
 * no bridge of ours nothing is done. Throws `policy.bridge-unfiltered`.
 */
export async function ensureBridgeFilter(exec: Exec, signal?: AbortSignal): Promise<void> {
  const { code } = await exec('ip', ['link', 'show', 'dev', bridgeName], { signal })
  if (code !== 0) return
  try {
    for (const setting of settings) {
      const read = (): Promise<string> => readFile(setting, 'utf8')
      const value = await read().catch(async () => {
        await exec('modprobe', ['br_netfilter'], { signal })
        return await read()
      })
      if (value.trim() !== '1') await writeFile(setting, '1')
    }
  } catch (error) {
    if (signal?.aborted) throw error
    throw new BerthError(
      'policy.bridge-unfiltered',
      `no security rule holds between instances of this node: ${messageOf(error)}; load the kernel module br_netfilter`,
      { cause: error },
    )
  }
}

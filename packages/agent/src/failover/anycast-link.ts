import { anycastLink, anycastLinkAddress } from '@berth/core'
import { type Exec, mustRun } from '../network/run-command.ts'
import type { HostAddress } from './host-addresses.ts'

interface Options {
  readonly signal: AbortSignal
}

const otherEnd = `${anycastLink}1`

/**
 * A pair of links with both ends here: keepalived wants one that is up, and kernels that run containers have these while not all have
 * dummies.
 */
export async function ensureAnycastLink(exec: Exec, there: readonly HostAddress[], { signal }: Options): Promise<void> {
  if (there.some(({ device, address }) => device === anycastLink && address === anycastLinkAddress)) return
  const { code } = await exec('ip', ['link', 'show', 'dev', anycastLink], { signal })
  if (code !== 0)
    await mustRun(exec, 'ip', ['link', 'add', anycastLink, 'type', 'veth', 'peer', 'name', otherEnd], { signal })
  await mustRun(exec, 'ip', ['address', 'replace', `${anycastLinkAddress}/32`, 'dev', anycastLink], { signal })
  for (const link of [otherEnd, anycastLink]) await mustRun(exec, 'ip', ['link', 'set', link, 'up'], { signal })
}

export async function removeAnycastLink(exec: Exec, { signal }: Options): Promise<void> {
  const { code } = await exec('ip', ['link', 'show', 'dev', anycastLink], { signal })
  if (code === 0) await mustRun(exec, 'ip', ['link', 'delete', anycastLink], { signal })
}

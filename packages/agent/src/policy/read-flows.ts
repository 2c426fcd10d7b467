import { createReadStream } from 'node:fs'
import { createInterface } from 'node:readline'
import type { FlowsReport } from '@berth/api'
import { BerthError, type Flow, parseFlow } from '@berth/core'
import { type Exec, mustRun } from '../network/run-command.ts'

/** More are counted, not told. */
export const mostFlows = 20_000

export interface FlowsOptions {
  /** Addresses of this node's instances: all flows begin or end at one of them. */
  readonly here: ReadonlySet<string>
  /** Only those that begin or end there. */
  readonly of?: ReadonlySet<string>
  readonly exec: Exec
  readonly signal?: AbortSignal | undefined
  /** Where the kernel lists its connections. */
  readonly path?: string
}

/** The connections that this host's kernel tracks. Throws `policy.no-conntrack`. */
export async function readFlows(options: FlowsOptions): Promise<FlowsReport> {
  const { here, of } = options
  const flows: Flow[] = []
  let more = 0
  if (here.size === 0) return { flows, more }
  for await (const line of trackedLines(options)) {
    const flow = parseFlow(line)
    if (flow === undefined || !isAt(here, flow) || (of !== undefined && !isAt(of, flow))) continue
    if (flows.length < mostFlows) flows.push(flow)
    else more += 1
  }
  return { flows, more }
}

const isAt = (addresses: ReadonlySet<string>, { source, destination }: Flow): boolean =>
  addresses.has(source) || addresses.has(destination)

/** Kernels without the file tell the same by netlink, which the program `conntrack` speaks. */
async function* trackedLines({ path = '/proc/net/nf_conntrack', exec, signal }: FlowsOptions): AsyncGenerator<string> {
  try {
    const input = createReadStream(path, { signal })
    yield* createInterface({ input, crlfDelay: Number.POSITIVE_INFINITY })
    return
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error
  }
  try {
    for (const family of ['ipv4', 'ipv6'])
      yield* (await mustRun(exec, 'conntrack', ['-L', '-f', family], { signal, timeoutMs: 30_000 })).split('\n')
  } catch (error) {
    if (!(error instanceof BerthError) || error.code !== 'network.command-missing') throw error
    throw new BerthError(
      'policy.no-conntrack',
      `read the connections of this node: its kernel has no ${path}, and conntrack is not installed; install its package, conntrack`,
      { cause: error },
    )
  }
}

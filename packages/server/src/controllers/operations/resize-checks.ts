import type { ResizeView } from '@berth/api'
import {
  type AppSpec,
  BerthError,
  cpuProblem,
  type EntrypointSpec,
  formatBandwidth,
  formatBytes,
  type Instance,
  type InstanceRequest,
  limitsBandwidth,
  nodeGroupOf,
  type Pool,
  type Sizes,
} from '@berth/core'
import { groupProblems, quotaProblems } from '../../groups/group-checks.ts'
import type { State } from '../../records/index.ts'
import type { SizeArguments } from '../operations.ts'
import type { OperationsContext } from './operations-context.ts'

/** The least that Docker gives a container. */
const leastMemoryBytes = 6 << 20

/** What is asked for; throws where it says nothing, or two things. */
export function wantedSizes(what: string, args: SizeArguments): Sizes {
  const { cpuMilli, memoryBytes, inBitsPerSecond, outBitsPerSecond, asWritten } = args
  const wanted = [cpuMilli, memoryBytes, inBitsPerSecond, outBitsPerSecond]
  const isGiven = wanted.some((each) => each !== undefined)
  if (asWritten === isGiven)
    throw new BerthError(
      'resize.invalid',
      isGiven
        ? `resize ${what}: give new sizes, or go back to those that are written, not both`
        : `resize ${what}: say how much: --cpu 1.5, --memory 1Gi, --in 200Mbit, --out 100Mbit, or --as-written`,
    )
  return {
    ...(cpuMilli === undefined ? {} : { cpuMilli }),
    ...(memoryBytes === undefined ? {} : { memoryBytes }),
    ...(inBitsPerSecond === undefined ? {} : { inBitsPerSecond }),
    ...(outBitsPerSecond === undefined ? {} : { outBitsPerSecond }),
  }
}

/** A limit below what is guaranteed. */
function bandwidthProblem({ resources, network }: EntrypointSpec, wanted: Sizes): string | undefined {
  if (network !== undefined && limitsBandwidth(wanted))
    return `with \`network: ${network}\` it is not in the cluster’s network: its bandwidth cannot be limited`
  const ways = [
    [wanted.inBitsPerSecond, resources.guaranteedInBitsPerSecond],
    [wanted.outBitsPerSecond, resources.guaranteedOutBitsPerSecond],
  ] as const
  for (const [limit, guaranteed] of ways)
    if (limit !== undefined && guaranteed !== undefined && limit < guaranteed)
      return `its berth.yaml guarantees ${formatBandwidth(guaranteed)}, so ${formatBandwidth(limit)} are too little a limit`
  return undefined
}

/** Throws where no node of the group could ever give that. */
export function refuseImpossible(
  { state, books }: Pick<OperationsContext, 'state' | 'books'>,
  what: string,
  spec: EntrypointSpec,
  pool: Pool,
  wanted: Sizes,
  request: InstanceRequest,
): void {
  const group = state.groups.find(nodeGroupOf(spec, pool))
  const { cpuMilli, memoryBytes } = wanted
  const problem =
    bandwidthProblem(spec, wanted) ??
    (cpuMilli === undefined || group === undefined ? undefined : cpuProblem(cpuMilli, group)) ??
    (memoryBytes === undefined || memoryBytes >= leastMemoryBytes
      ? undefined
      : `${formatBytes(memoryBytes)} of memory is too little: a container has at least ${formatBytes(leastMemoryBytes)}`) ??
    books.books.explain(request).reasons.find((reason) => reason.filter === 'request')?.text
  if (problem !== undefined) throw new BerthError('resize.invalid', `resize ${what}: ${problem}`)
}

/** Whether they may have more; to have less is always possible. */
export function growthProblems(state: State, pool: Pool, after: AppSpec, grows: boolean, actor: string): string[] {
  if (!grows) return []
  return [...groupProblems(state, pool, after, actor), ...quotaProblems(state, pool, after, pool.replicas)]
}

export const isMore = (before: Sizes, after: Sizes): boolean =>
  (after.cpuMilli ?? 0) > (before.cpuMilli ?? 0) || (after.memoryBytes ?? 0) > (before.memoryBytes ?? 0)

export const grantOf = ({ cpuMilli, memoryBytes, cores }: Pick<Instance, 'cpuMilli' | 'memoryBytes' | 'cores'>) => ({
  ...(cpuMilli === undefined ? {} : { cpuMilli }),
  ...(memoryBytes === undefined ? {} : { memoryBytes }),
  ...(cores === undefined ? {} : { cores }),
})

export type ResizedInstance = ResizeView['instances'][number]

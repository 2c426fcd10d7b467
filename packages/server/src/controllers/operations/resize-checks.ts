import type { ResizeView } from '@berth/api'
import {
  type AppSpec,
  BerthError,
  cpuProblem,
  type EntrypointSpec,
  formatBytes,
  type Instance,
  type InstanceRequest,
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
export function wantedSizes(what: string, { cpuMilli, memoryBytes, asWritten }: SizeArguments): Sizes {
  const isGiven = cpuMilli !== undefined || memoryBytes !== undefined
  if (asWritten === isGiven)
    throw new BerthError(
      'resize.invalid',
      isGiven
        ? `resize ${what}: give new sizes, or go back to those that are written, not both`
        : `resize ${what}: say how much: --cpu 1.5, --memory 1Gi or both, or --as-written`,
    )
  return {
    ...(cpuMilli === undefined ? {} : { cpuMilli }),
    ...(memoryBytes === undefined ? {} : { memoryBytes }),
  }
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

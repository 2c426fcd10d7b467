import type { CallInput } from '@berth/api/client'
import type { ImaginedNodes } from '@berth/api/planning-resources'
import { BerthError } from '@berth/core/model/berth-error'

/** What somebody asks about an environment, as it stands in the address. Nothing said: about what runs. */
export interface PlanQuestion {
  readonly release: string
  readonly ref: string
  /** By entrypoint, only what differs from what is. */
  readonly replicas: Readonly<Record<string, number>>
  readonly without: readonly string[]
  /** `5xc16m64@fast` */
  readonly with: readonly string[]
}

const wordsOf = (text: string | null): string[] => (text ?? '').split(',').filter((word) => word !== '')

export function questionOf(search: string): PlanQuestion {
  const query = new URLSearchParams(search)
  const counts = wordsOf(query.get('replicas')).flatMap((text): [string, number][] => {
    const [, name, count] = /^([a-z0-9-]+)=(\d{1,5})$/.exec(text) ?? []
    return name === undefined ? [] : [[name, Number(count)]]
  })
  return {
    release: query.get('release') ?? '',
    ref: query.get('ref') ?? '',
    replicas: Object.fromEntries(counts),
    without: wordsOf(query.get('without')),
    with: wordsOf(query.get('with')).filter(isImagined),
  }
}

/** `?release=v7&replicas=web=6&without=a,b`, or nothing. */
export function searchOf(question: Partial<PlanQuestion>): string {
  const { release = '', ref = '', replicas = {}, without = [], with: added = [] } = question
  const parts: readonly (readonly [string, string])[] = [
    ['release', release],
    ['ref', ref],
    [
      'replicas',
      Object.entries(replicas)
        .map(([name, count]) => `${name}=${count}`)
        .join(','),
    ],
    ['without', without.join(',')],
    ['with', added.join(',')],
  ]
  const query = new URLSearchParams(parts.filter(([, value]) => value !== '').map(([name, value]) => [name, value]))
  return query.size === 0 ? '' : `?${query}`
}

type Hypothesis = NonNullable<CallInput<'getCapacity'>['body']>

export const hypothesisOf = ({ without, with: added }: PlanQuestion): Hypothesis => ({
  ...(without.length === 0 ? {} : { without: [...without] }),
  ...(added.length === 0 ? {} : { with: added.map(imaginedOf) }),
})

export function planBodyOf(question: PlanQuestion, pool: string): NonNullable<CallInput<'planDeploy'>['body']> {
  const { release, ref, replicas } = question
  return {
    pool,
    ...(release === '' ? (ref === '' ? {} : { ref }) : { release }),
    ...(Object.keys(replicas).length === 0 ? {} : { replicas: { ...replicas } }),
    ...hypothesisOf(question),
  }
}

const imagined = /^(?:(\d{1,5})[x×*])?c(\d{1,4})m(\d{1,5})(?:@([a-z0-9-]+))?$/

export const isImagined = (text: string): boolean => imagined.test(text)

/** Nodes that are imagined: `5xc16m64@fast` is five of 16 cores and 64 GiB, in the group fast. As the command line writes them. */
export function imaginedOf(text: string): ImaginedNodes {
  const [, count = '1', cores = '', gibibytes = '', group] = imagined.exec(text) ?? []
  if (cores === '')
    throw new BerthError('usage.nodes', `${text}: write COUNTxcCORESmGIBIBYTES, such as 5xc16m64, @GROUP behind it`)
  const size = { cpuMilli: Number(cores) * 1000, memoryBytes: Number(gibibytes) * 1024 ** 3 }
  return { count: Number(count), ...size, ...(group === undefined ? {} : { group }) }
}

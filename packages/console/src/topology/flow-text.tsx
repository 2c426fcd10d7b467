import { Mark } from '../components/status.tsx'
import { useText } from '../i18n/language.tsx'
import { path } from '../router/match-path.ts'
import type { Band, Flow, RoutePart } from './topology-model.ts'

export const targetName = ({ external, app, pool, entrypoint }: Band): string =>
  external ?? `${app}/${pool}/${entrypoint}`

/** undefined: Berth does not run it. */
export const targetPath = ({ external, app, pool, entrypoint }: Band): string | undefined =>
  external === undefined ? path('apps', app, pool, 'entrypoints', entrypoint) : undefined

const rounded = (value: number): number => Math.round(value * 10) / 10

/** `123.4/s · 18 ms · 2.5/s failed`: live. */
export function FlowText({ flow }: { readonly flow: Flow }) {
  const { topology: text, routes } = useText()
  const { perSecond, failedPerSecond, lostPerSecond, p95Ms } = flow
  return (
    <span data-rate>
      {text.perSecond(rounded(perSecond))}
      {p95Ms !== undefined && <span title={routes.p95}> · {routes.ms(Math.round(p95Ms))}</span>}
      {failedPerSecond > 0 && (
        <span className="tone-bad" title={text.lost(rounded(lostPerSecond))}>
          {' '}
          · {text.failed(rounded(failedPerSecond))}
        </span>
      )}
    </span>
  )
}

export function RouteProblem({ problem }: { readonly problem: RoutePart['problem'] }) {
  const { topology: text } = useText()
  if (problem === undefined) return null
  const tone = problem === 'maintenance' ? 'warn' : 'bad'
  return (
    <span className={`topology-state tone-${tone}`}>
      <Mark tone={tone} />
      {text.problem[problem]}
    </span>
  )
}

/** `v14 90 %, v15 10 %`: what runs, and where two do, which part of the requests each gets. */
export function Generations({ band: { generations, sites, rollout } }: { readonly band: Band }) {
  const { topology: text } = useText()
  const words = generations.map(({ release, share }) =>
    generations.length === 1 || share === undefined ? release : `${release} ${Math.round(share * 100)} %`,
  )
  return (
    <>
      {[words.join(', '), rollout !== undefined && text.rollout, sites.length > 0 && text.sites(sites.join(', '))]
        .filter(Boolean)
        .join(' · ')}
    </>
  )
}

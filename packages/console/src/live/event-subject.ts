import { path } from '../router/match-path.ts'
import type { Tone } from './states.ts'

/** Where the things that an event speaks of can be looked at, the most precise one first. */
export function subjectLinks(subject: Readonly<Record<string, string>>): readonly { label: string; to: string }[] {
  const { app, pool, instance, rollout, build, node } = subject
  const links: { label: string; to: string }[] = []
  if (instance !== undefined)
    links.push({ label: instance.split('.').at(-1) ?? instance, to: path('instances', instance) })
  if (rollout !== undefined) links.push({ label: rollout, to: path('rollouts', rollout) })
  if (build !== undefined) links.push({ label: build, to: path('builds', build) })
  if (app !== undefined && pool !== undefined) links.push({ label: `${app}/${pool}`, to: path('apps', app, pool) })
  else if (app !== undefined) links.push({ label: app, to: path('apps', app) })
  if (node !== undefined) links.push({ label: node, to: path('nodes', node) })
  return links
}

const tones: readonly (readonly [RegExp, Tone])[] = [
  [/failed|rolled-back|died|crash|lost|offline|out-of-memory|unhealthy/, 'bad'],
  [/aborted|cancel|paused|removed|revoked|stopped|ended|cordon/, 'off'],
  [/succeeded|ready|joined|online|created|completed|finished/, 'ok'],
  [/started|queued|running|restart|rolling|scal|drain/, 'busy'],
]

/** The shape beside an event; turning rings would lie about what is over, so work that began is a hollow circle. */
export function eventTone(type: string): Tone {
  const tone = tones.find(([pattern]) => pattern.test(type))?.[1] ?? 'off'
  return tone === 'busy' ? 'off' : tone
}

import type { History, RegisterChange, Violation, WatchRecord } from './history.ts'
import { RegisterLog, told } from './register-log.ts'

/** Watches neither skip nor repeat. */
export function* checkWatches({ changes, watches }: History): Generator<Violation> {
  const log = new RegisterLog(changes)
  for (const watch of watches) {
    if (watch.kind === 'every') yield* checkEvery(watch, changes)
    else yield* checkLatest(watch, log)
  }
}

const describe = ({ register, value, revision }: { register: string; value?: number; revision?: number }): string =>
  `${register} = ${told(value)} of revision ${revision ?? 'unknown'}`

function* checkEvery(watch: WatchRecord, changes: readonly RegisterChange[]): Generator<Violation> {
  const { name, after, until = Number.POSITIVE_INFINITY, registers } = watch
  const expected = changes.filter(
    ({ revision, register }) =>
      revision > after && revision <= until && (registers === undefined || registers.includes(register)),
  )
  const unseen = new Set(expected.map(describe))
  const known = new Set(unseen)
  let last = after
  for (const sight of watch.seen) {
    if (sight.type === 'mark') continue
    const text = describe(sight)
    const { revision = 0 } = sight
    if (!known.has(text))
      yield { rule: 'watch-invents', message: `watch ${name} told ${text}; there was no such change` }
    else if (!unseen.delete(text)) yield { rule: 'watch-repeats', message: `watch ${name} told ${text} twice` }
    else if (revision < last)
      yield { rule: 'watch-repeats', message: `watch ${name} told ${text} after a change of revision ${last}` }
    last = Math.max(last, revision)
  }
  for (const text of unseen) yield { rule: 'watch-skips', message: `watch ${name} never told ${text}` }
}

/** Of a watch that tells how things are now: it never goes back, and at a mark nothing up to it is missing. */
function* checkLatest({ name, after, registers, seen }: WatchRecord, log: RegisterLog): Generator<Violation> {
  const latest = new Map<string, number | undefined>()
  for (const sight of seen) {
    if (sight.type === 'change') {
      const { register, value } = sight
      const before = latest.get(register)
      if (value !== undefined && !log.has(register, value))
        yield { rule: 'watch-invents', message: `watch ${name} told ${register} = ${value}; the store never had it` }
      if (before !== undefined && (value === undefined || value < before))
        yield { rule: 'watch-repeats', message: `watch ${name} told ${register} = ${told(value)} after ${before}` }
      latest.set(register, value)
      continue
    }
    for (const register of registers ?? log.registers) {
      const now = log.at(register, sight.revision)
      const had = latest.get(register)
      if (now?.value === undefined || now.revision <= after || (had ?? -1) >= now.value) continue
      yield {
        rule: 'watch-skips',
        message: `watch ${name} says that all up to revision ${sight.revision} is told; ${describe(now)} is not, its last word was ${told(had)}`,
      }
    }
  }
}

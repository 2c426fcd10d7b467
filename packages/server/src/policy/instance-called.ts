import { BerthError, type Instance } from '@berth/core'
import type { State } from '../records/index.ts'

/**
 * The instance that people call so: its id, or `web-3` and `shop/web-3` where only one is meant; undefined where none is. An entrypoint of
 * that name comes first. Throws `net.ambiguous`.
 */
export function instanceCalled(state: State, text: string): Instance | undefined {
  const one = state.instances.get(text)
  const [first = '', second, ...rest] = text.split('/')
  const name = second ?? first
  if (one !== undefined || rest.length > 0 || !/-[0-9]+$/.test(name)) return one
  const all = second === undefined ? [...state.instances.values()] : state.instances.byApp(first)
  if (second !== undefined && all.some(({ entrypoint }) => entrypoint === name)) return undefined
  const found = all.filter(({ id, desired }) => desired === 'run' && id.endsWith(`.${name}`))
  if (found.length <= 1) return found[0]
  const ids = found.slice(0, 8).map(({ id }) => id)
  const more = found.length > ids.length ? ', …' : ''
  throw new BerthError('net.ambiguous', `${text} could be ${ids.join(', ')}${more}; say more of it`)
}

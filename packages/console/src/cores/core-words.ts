import type { CoreMapView } from '@berth/api/planning-resources'
import { formatCores, formatPercent } from '../format/quantities.ts'
import type { Dictionary } from '../i18n/dictionary.ts'
import type { Core, Part } from './core-model.ts'

type Words = Dictionary['cores']

/** `shared`, `conflict, not reported by the node`. */
export function coreState(text: Words, cpu: CoreMapView['cpu'], { state, present }: Core): string {
  const word = cpu === 'shared' && state === 'free' ? text.nobodys : text.states[state]
  return present ? word : `${word}, ${text.absent}`
}

/** What is read out of a part of a cell: `Core 7: shop.production.web-3, 0.3 of it, 72 % busy`. */
export function partWords(text: Words, cpu: CoreMapView['cpu'], { core, instance, milli }: Part): string {
  const share = milli === 1000 ? text.wholeCore : text.share(formatCores(milli))
  const words = text.part(core.core, instance ?? coreState(text, cpu, { ...core, state: 'free' }), share)
  return core.busyMilli === undefined ? words : `${words}, ${text.busy(formatPercent(core.busyMilli, 1000))}`
}

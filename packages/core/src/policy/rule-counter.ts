import { hashText } from '../schedule/hash-text.ts'
import type { PolicyRule } from './profile.ts'

/** What a counter counts: the packets that one rule decided, or those that came to the end of a list of profiles. */
export type CountedRule =
  | {
      readonly kind: 'rule'
      readonly end: 'in' | 'out'
      readonly profile: string
      /** From 1, in its list. */
      readonly number: number
      readonly rule: PolicyRule
    }
  | { readonly kind: 'no-rule'; readonly end: 'in' | 'out'; readonly profiles: readonly string[] }

/**
 * By what a rule says and not by its place: what is written before it leaves its count alone. Of equal ones in a list (the later never match)
 * each has its own, as have two whose hashes are equal; `taken` are those of the list so far.
 */
export function ruleCounterName(
  profile: string,
  end: 'in' | 'out',
  text: string,
  taken: ReadonlyMap<string, unknown>,
): string {
  const name = `rule-${end}/${profile}/${hex(hashText(text))}`
  for (let number = 1; ; number += 1) {
    const candidate = number === 1 ? name : `${name}.${number}`
    if (!taken.has(candidate)) return candidate
  }
}

export const noRuleCounterName = (end: 'in' | 'out', profiles: readonly string[]): string =>
  `no-rule-${end}/${profiles.join('/')}`

/** What a packet is marked with on its way to be dropped: by it the log of dropped packets knows who did. */
export const dropMark = (counter: string): number => hashText(counter)

export const formatMark = (mark: number): string => `0x${hex(mark)}`

const hex = (number: number): string => number.toString(16).padStart(8, '0')

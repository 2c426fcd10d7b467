import { acceptText, dropText, type Family, isForFamily, mainFamily, matchText } from './compile-rule.ts'
import type { PolicyChain } from './policy-table.ts'
import { mentionedTags, type PolicyRule, type Profile } from './profile.ts'
import { type CountedRule, ruleCounterName } from './rule-counter.ts'

/** What becomes of a profile, whoever has it. */
export interface CompiledProfile {
  readonly tags: readonly string[]
  readonly families: Readonly<Record<Family, CompiledFamily>>
}

interface CompiledFamily {
  readonly inbound: PolicyChain
  readonly outbound: PolicyChain
  readonly counters: ReadonlyMap<string, CountedRule>
}

const known = new WeakMap<Profile, CompiledProfile>()

/** Profiles do not change: another version is another object. */
export function compiledProfile(profile: Profile): CompiledProfile {
  const found = known.get(profile)
  if (found !== undefined) return found
  const made = { tags: [...mentionedTags(profile)].sort(), families: compileFamilies(profile) }
  known.set(profile, made)
  return made
}

function compileFamilies(profile: Profile): CompiledProfile['families'] {
  const { name } = profile
  const ends = [...countedRules(name, 'in', profile.inbound), ...countedRules(name, 'out', profile.outbound)]
  const of = (family: Family): CompiledFamily => {
    const own = ends.filter(({ counted: { rule } }) => isForFamily(rule, family))
    const chain = (end: 'in' | 'out'): PolicyChain => ({
      rules: own.filter(({ counted }) => counted.end === end).map((each) => ruleText(each, family)),
    })
    return {
      inbound: chain('in'),
      outbound: chain('out'),
      counters: new Map(own.map(({ counter, counted }) => [counter, counted])),
    }
  }
  return { 4: of(4), 6: of(6) }
}

interface NamedRule {
  readonly counter: string
  readonly counted: Extract<CountedRule, { readonly kind: 'rule' }>
}

/** A rule has one counter, for packets of both versions. */
function countedRules(profile: string, end: 'in' | 'out', rules: readonly PolicyRule[]): NamedRule[] {
  const named = new Map<string, NamedRule>()
  for (const [index, rule] of rules.entries()) {
    const text = `${rule.action} ${matchText(rule, mainFamily(rule))}`
    const counter = ruleCounterName(profile, end, text, named)
    named.set(counter, { counter, counted: { kind: 'rule', end, profile, number: index + 1, rule } })
  }
  return [...named.values()]
}

function ruleText({ counter, counted }: NamedRule, family: Family): string {
  const { rule, profile, end, number } = counted
  const match = matchText(rule, family)
  const verdict = rule.action === 'allow' ? acceptText(counter) : dropText(counter, family)
  return `${match === '' ? '' : `${match} `}${verdict} comment "${profile} ${end} ${number}"`
}

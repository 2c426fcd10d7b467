import { compareVersions } from './compare-versions.ts'
import { meets, type Requirement } from './requirement.ts'

/** Requirements of which no node can meet all, as a sentence; undefined when there are none. */
export function contradiction(requirements: readonly Requirement[]): string | undefined {
  for (const label of new Set(requirements.map((requirement) => requirement.label))) {
    const same = requirements.filter((requirement) => requirement.label === label)
    const found = contradictingPair(same) ?? emptyChoice(same)
    if (found !== undefined) return found
  }
  return undefined
}

function contradictingPair(requirements: readonly Requirement[]): string | undefined {
  for (const [i, a] of requirements.entries()) {
    for (const b of requirements.slice(0, i)) {
      if (!canBothHold(b, a)) return `${quote(b)} and ${quote(a)} can never both hold`
    }
  }
  return undefined
}

/** Three or more that only contradict each other together: `disk in (ssd, hdd)`, `disk != ssd`, `disk != hdd`. */
function emptyChoice(requirements: readonly Requirement[]): string | undefined {
  const choice = requirements.find((requirement) => listed(requirement) !== undefined)
  if (choice === undefined) return undefined
  if (listed(choice)?.some((value) => requirements.every((other) => meets(other, value)))) return undefined
  const texts = requirements.map(quote)
  return `${texts.slice(0, -1).join(', ')} and ${texts.at(-1)} can never all hold`
}

function canBothHold(a: Requirement, b: Requirement): boolean {
  const choice = listed(a) ?? listed(b)
  if (choice !== undefined) return choice.some((value) => meets(a, value) && meets(b, value))
  if (a.operator === 'absent' || b.operator === 'absent') return meets(a, undefined) && meets(b, undefined)
  const [low, high] = isLower(a) ? [a, b] : [b, a]
  if (!isLower(low) || !isUpper(high)) return true
  const order = compareVersions(low.values[0] ?? '', high.values[0] ?? '')
  return order < 0 || (order === 0 && low.operator === '>=' && high.operator === '<=')
}

const listed = (requirement: Requirement): readonly string[] | undefined =>
  requirement.operator === '=' || requirement.operator === 'in' ? requirement.values : undefined
const isLower = ({ operator }: Requirement): boolean => operator === '>' || operator === '>='
const isUpper = ({ operator }: Requirement): boolean => operator === '<' || operator === '<='
const quote = (requirement: Requirement): string => `\`${requirement.text}\``

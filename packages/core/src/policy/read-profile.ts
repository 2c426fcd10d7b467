import { IssueList, type SpecIssue, type SpecPath } from '../spec/spec-issue.ts'
import { checkRule } from './check-rule.ts'
import { isProfileName, maxRules, type PolicyRule, type Profile, profileNameRule } from './profile.ts'
import { readRuleObject, readTag, readText, refuseUnknownKeys } from './rule-object.ts'
import { readRuleWords } from './rule-words.ts'

export interface ReadProfile {
  /** Present exactly when there are no issues. */
  readonly profile?: Profile
  readonly issues: readonly SpecIssue[]
}

type Written = Readonly<Record<string, unknown>>

/** What is written in two ways: here, and by Calico. */
const spellings = {
  name: ['name', 'id'],
  tags: ['tags'],
  inbound: ['inbound', 'inbound_rules'],
  outbound: ['outbound', 'outbound_rules'],
} as const
const maxTags = 100
const known = Object.values(spellings).flat()

/**
 * A profile as Calico wrote them, or in the short form: its canonical form, or every mistake. Never throws, whatever the value. `name`: where it
 * is known from elsewhere; then the document need not say it, and may not say another.
 */
export function readProfile(value: unknown, name?: string): ReadProfile {
  const issues = new IssueList()
  if (!isMap(value)) {
    issues.add([], 'a profile is a map', {
      suggestion: 'write `name:` and, as need be, `tags:`, `inbound:`, `outbound:`',
    })
    return { issues: issues.independent() }
  }
  refuseUnknownKeys(issues, [], value, known)
  const own = readName(issues, value, name) ?? ''
  const profile = {
    name: own,
    tags: readTags(issues, value.tags) ?? [own],
    inbound: readRules(issues, value, 'inbound') ?? [fromOwnTag(own)],
    outbound: readRules(issues, value, 'outbound') ?? [allowAll],
  }
  const found = issues.independent()
  return found.length > 0 ? { issues: found } : { profile, issues: [] }
}

const allowAll: PolicyRule = { action: 'allow', source: {}, destination: {} }
const fromOwnTag = (tag: string): PolicyRule => ({ action: 'allow', source: { tag }, destination: {} })

const isMap = (value: unknown): value is Written => typeof value === 'object' && value !== null && !Array.isArray(value)

/** The value under one of its two names. */
function pick(issues: IssueList, written: Written, part: keyof typeof spellings): { at: SpecPath; value: unknown } {
  const given = spellings[part].filter((key) => written[key] !== undefined)
  if (given.length > 1)
    issues.add([given[1] ?? ''], `${given.join(' and ')} are the same: give one of them`, { atKey: true })
  const key = given[0] ?? spellings[part][0]
  return { at: [key], value: written[key] }
}

function readName(issues: IssueList, written: Written, expected: string | undefined): string | undefined {
  const { at, value } = pick(issues, written, 'name')
  if ((value ?? expected) === undefined) issues.add(at, 'the profile has no name', { suggestion: 'write `name: db`' })
  const text = readText(issues, at, value ?? expected ?? undefined)
  if (text === undefined) return undefined
  if (!isProfileName(text))
    issues.add(at, `${JSON.stringify(text.slice(0, 80))} cannot name a profile: use ${profileNameRule}`)
  else if (expected !== undefined && text !== expected)
    issues.add(at, `it is called ${text} here, and ${expected} where it is to be put`, {
      suggestion: `write ${expected}, or leave it out`,
    })
  else return text
  return undefined
}

function readTags(issues: IssueList, value: unknown): readonly string[] | undefined {
  if (value === undefined) return undefined
  if (!Array.isArray(value)) {
    issues.add(['tags'], 'expected a list of tags', { suggestion: 'write [db]' })
    return undefined
  }
  if (value.length > maxTags) issues.add(['tags'], `${value.length} tags are too many: at most ${maxTags} are possible`)
  const tags = value.flatMap((each, index) => {
    if (each === undefined || each === null) issues.add(['tags', index], 'a tag is missing')
    return readTag(issues, ['tags', index], each ?? undefined) ?? []
  })
  return [...new Set(tags)].sort()
}

function readRules(issues: IssueList, written: Written, part: 'inbound' | 'outbound'): PolicyRule[] | undefined {
  const { at, value } = pick(issues, written, part)
  if (value === undefined) return undefined
  if (!Array.isArray(value)) {
    issues.add(at, 'expected a list of rules', { suggestion: 'write [allow], or [] for nothing at all' })
    return undefined
  }
  if (value.length > maxRules) {
    issues.add(at, `${value.length} rules are too many: at most ${maxRules} are possible`)
    return undefined
  }
  return value.flatMap((each, index) => readRule(issues, [...at, index], each) ?? [])
}

function readRule(issues: IssueList, path: SpecPath, written: unknown): PolicyRule | undefined {
  const own = new IssueList()
  const rule =
    typeof written === 'string'
      ? readRuleWords(own, path, written)
      : isMap(written)
        ? readRuleObject(own, path, written)
        : void own.add(path, 'a rule is a line of words or a map', { suggestion: 'write `tcp:3306 from db-users`' })
  // What was left out because of a mistake would only make for another one.
  if (rule !== undefined && own.independent().length === 0) checkRule(own, path, rule)
  for (const { path: at, message, ...more } of own.independent()) issues.add(at, message, more)
  return rule
}

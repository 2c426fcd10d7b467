import { isName, nameRule } from '../model/names.ts'
import { parseRequirement } from '../schedule/requirement.ts'
import { splitCommand } from '../spec/command-line.ts'
import { parseDuration, parseShare } from '../spec/quantities.ts'
import { IssueList, type Parsed, parsed, refused, type SpecIssue, type SpecPath } from '../spec/spec-issue.ts'
import { canonicalDocker, certificateFiles } from './canonical-docker.ts'
import { canonicalFile, type FileContext } from './canonical-file.ts'
import { canonicalPackage, canonicalSysctl } from './canonical-machine.ts'
import type {
  ConfigRolloutRule,
  NodeCheck,
  NodeConfig,
  NodeConfigRule,
  NodeConfigSpec,
  NodeFile,
} from './node-config.ts'
import type {
  CheckDocument,
  ConfigRolloutDocument,
  ConfigRuleDocument,
  FilesBeside,
  NodeConfigDocument,
} from './node-config-document.ts'

export const nodeConfigDefaults = {
  batch: 1,
  pauseMs: 0,
  withinMs: 60_000,
  onFailure: 'stop',
  checkTimeoutMs: 10_000,
} as const
const maxWithinMs = 3_600_000

export interface CanonicalNodeConfig {
  readonly spec?: NodeConfigSpec
  readonly issues: readonly SpecIssue[]
  /** Paths beside the document that it takes content from. */
  readonly needs: readonly string[]
}

/** The canonical form, or every mistake. `beside`: undefined when the files it needs are not read yet, which then is no mistake. */
export function canonicalizeNodeConfig(
  document: NodeConfigDocument,
  beside: FilesBeside | undefined,
  broken: readonly SpecPath[] = [],
): CanonicalNodeConfig {
  const issues = new IssueList()
  const context: FileContext = { beside, needs: new Set(), issues }
  const rollout = canonicalRollout(document.rollout ?? {}, issues)
  if (document.rules === undefined)
    issues.add(['rules'], 'a node configuration needs rules', {
      suggestion: 'write `rules:` with a list; [] gives everything back',
    })
  const rules = (document.rules ?? []).map((rule, index) => canonicalRule(rule ?? {}, ['rules', index], context))
  const all = issues.independent(broken)
  const needs = [...context.needs].sort()
  if (all.length > 0 || broken.length > 0) return { issues: all, needs }
  return { spec: { enforce: document.enforce ?? false, rollout, rules }, issues: [], needs }
}

function canonicalRollout(written: ConfigRolloutDocument, issues: IssueList): ConfigRolloutRule {
  const at = (name: string): SpecPath => ['rollout', name]
  const duration = (name: 'pause' | 'within', fallback: number): number =>
    written[name] === undefined ? fallback : (issues.take(at(name), parseDuration(String(written[name]))) ?? fallback)
  const withinMs = duration('within', nodeConfigDefaults.withinMs)
  if (withinMs < 1000 || withinMs > maxWithinMs) issues.add(at('within'), 'from 1s to 1h is possible')
  return {
    batch: issues.take(at('batch'), parseBatch(written.batch ?? nodeConfigDefaults.batch)) ?? { count: 1 },
    pauseMs: duration('pause', nodeConfigDefaults.pauseMs),
    withinMs,
    onFailure: written.onFailure ?? nodeConfigDefaults.onFailure,
  }
}

function parseBatch(written: number | string): Parsed<ConfigRolloutRule['batch']> {
  if (typeof written === 'number')
    return written >= 1 ? parsed({ count: written }) : refused('at least one node at a time', 'write 1')
  const share = parseShare(written)
  return share.ok ? parsed({ shareMilli: share.value }) : refused(`${share.message}, or a number of nodes`)
}

function canonicalRule(written: ConfigRuleDocument, path: SpecPath, context: FileContext): NodeConfigRule {
  const { issues } = context
  const groups = listOf(written.groups)
  for (const [index, group] of groups.entries())
    if (!isName(group))
      issues.add(
        [...path, 'groups', ...placeIn(written.groups, index)],
        `${JSON.stringify(group)} is no node group: use ${nameRule}`,
      )
  const where = listOf(written.where).flatMap((text, index) => {
    const requirement = issues.take([...path, 'where', ...placeIn(written.where, index)], parseRequirement(text))
    return requirement === undefined ? [] : [requirement.text]
  })
  return { groups, where, config: canonicalConfig(written, path, context) }
}

function canonicalConfig(written: ConfigRuleDocument, path: SpecPath, context: FileContext): NodeConfig {
  const { issues } = context
  const files: [string, NodeFile][] = certificateFiles(written.docker, [...path, 'docker'], context)
  for (const [name, file] of Object.entries(written.files ?? {})) {
    const canonical = canonicalFile(name, file ?? {}, [...path, 'files', name], context)
    if (canonical !== undefined) files.push([name, canonical])
  }
  const sysctls = Object.entries(written.sysctls ?? {}).flatMap(([name, value]) => {
    const canonical = canonicalSysctl(name, value, [...path, 'sysctls', name], issues)
    return canonical === undefined ? [] : [[name, canonical] as const]
  })
  const packages = (written.packages ?? []).filter((name, index) =>
    canonicalPackage(name, [...path, 'packages', index], issues),
  )
  return {
    docker: canonicalDocker(written.docker ?? {}, [...path, 'docker'], issues),
    sysctls: Object.fromEntries(sysctls),
    packages: [...new Set(packages)].sort(),
    files: Object.fromEntries(files),
    checks: (written.checks ?? []).flatMap((check, index) => canonicalCheck(check, [...path, 'checks', index], issues)),
  }
}

function canonicalCheck(written: string | CheckDocument, path: SpecPath, issues: IssueList): NodeCheck[] {
  const { command, timeout } = typeof written === 'string' ? { command: written, timeout: undefined } : (written ?? {})
  if (command === undefined) {
    issues.add(path, 'a check needs a command')
    return []
  }
  const at = typeof written === 'string' ? path : [...path, 'command']
  const words = commandWords(command, at, issues)
  const timeoutMs =
    timeout === undefined
      ? nodeConfigDefaults.checkTimeoutMs
      : issues.take([...path, 'timeout'], parseDuration(String(timeout)))
  return words === undefined || timeoutMs === undefined ? [] : [{ command: words, timeoutMs }]
}

/** Words of a command that is run without a shell. */
function commandWords(
  command: string | readonly string[],
  path: SpecPath,
  issues: IssueList,
): readonly string[] | undefined {
  if (typeof command === 'string') return issues.take(path, splitCommand(command))
  if (command.length > 0 && command[0] !== '') return command
  issues.add(path, 'the command is empty')
  return undefined
}

const listOf = (written: string | readonly string[] | undefined): readonly string[] =>
  written === undefined ? [] : typeof written === 'string' ? [written] : written.filter((each) => each !== undefined)

const placeIn = (written: string | readonly string[] | undefined, index: number): SpecPath =>
  typeof written === 'string' ? [] : [index]

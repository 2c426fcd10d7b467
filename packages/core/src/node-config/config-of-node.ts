import { meets, parseRequirement } from '../schedule/requirement.ts'
import { mergeConfigs, type NodeConfig, type NodeConfigRule, type NodeConfigSpec } from './node-config.ts'

export interface ConfiguredNode {
  readonly labels: Readonly<Record<string, string>>
  readonly group: string
}

/** What this node must have by all rules that match it. */
export const configOfNode = (spec: Pick<NodeConfigSpec, 'rules'>, node: ConfiguredNode): NodeConfig =>
  mergeConfigs(spec.rules.filter((rule) => matches(rule, node)).map(({ config }) => config))

export const matchesAnyRule = (spec: Pick<NodeConfigSpec, 'rules'>, node: ConfiguredNode): boolean =>
  spec.rules.some((rule) => matches(rule, node))

function matches({ groups, where }: NodeConfigRule, { labels, group }: ConfiguredNode): boolean {
  if (groups.length > 0 && !groups.includes(group)) return false
  return where.every((text) => {
    const requirement = parseRequirement(text)
    return requirement.ok && meets(requirement.value, labels[requirement.value.label])
  })
}

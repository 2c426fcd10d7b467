import type { PlanView } from '@berth/api'
import { formatRehearsal } from './rehearsal.ts'
import type { Style } from './style.ts'

interface Change {
  readonly op: '+' | '-' | '~'
  readonly path: string
  readonly before?: unknown
  readonly after?: unknown
}

/** The plan as a `+ - ~` diff with counts, problems and steps. */
export function formatPlan(plan: PlanView, style: Style): string {
  const head = `${plan.app}/${plan.pool}: ${plan.from ?? 'nothing'} → ${plan.to ?? 'nothing'}`
  if (!plan.changes) return [`${head}: no changes`, ...placements(plan), ...problems(plan, style)].join('\n')
  const lines = [style.bold(head)]
  for (const each of plan.entrypoints) {
    const counts = [
      [each.create, 'create'],
      [each.replace, 'replace'],
      [each.destroy, 'destroy'],
      [each.unchanged, 'unchanged'],
    ].filter(([count]) => count !== 0)
    const mark = { create: style.green('+'), destroy: style.red('-'), update: style.yellow('~'), unchanged: ' ' }[
      each.action
    ]
    lines.push(
      `  ${mark} ${each.name}: ${counts.map(([count, verb]) => `${count} ${verb}`).join(', ') || 'nothing runs'}${serving(each)}`,
    )
  }
  if (plan.diff.length > 0) lines.push('', ...plan.diff.map((each) => `  ${formatChange(each, style)}`))
  if (plan.steps.length > 0) lines.push('', 'steps', ...plan.steps.map((step, index) => `  ${index + 1}. ${step}`))
  return [...lines, ...procedure(plan), ...placements(plan), ...formatRehearsal(plan), ...problems(plan, style)].join(
    '\n',
  )
}

/** What a deploy goes through, and what it waits for before. */
function procedure({ stages = [], approvals, freezes = [] }: PlanView): string[] {
  const rules = (approvals?.rules ?? []).map(({ name, needed, role }) => `${name}: ${needed} of role ${role}`)
  const of = rules.length === 0 ? '' : ` (${rules.join(', ')})`
  const first = [
    ...freezes.map(
      ({ name, reason, until }) =>
        `  frozen by ${name} until ${new Date(until).toISOString()} (${reason}): --override-freeze REASON`,
    ),
    ...(approvals === undefined ? [] : [`  ${approvals.needed} others have to say yes${of}`]),
  ]
  const parts = stages.flatMap(({ name, counts, traffic, before, gates, after }, index) => {
    const news = Object.entries(counts).map(([entrypoint, count]) => `${entrypoint} ${count}`)
    const share = traffic === undefined ? [] : [`${traffic} of the requests`]
    return [
      `  ${index + 1}. ${name}: ${[...news, ...share].join(', ')}`,
      ...before.map((hook) => `     before: ${hook}`),
      ...gates.map((gate) => `     gate: ${gate}`),
      ...after.map((hook) => `     after: ${hook}`),
    ]
  })
  return [
    ...(first.length === 0 ? [] : ['', 'before it begins', ...first]),
    ...(parts.length === 0 ? [] : ['', 'stages, with how many are new at the end of each', ...parts]),
  ]
}

/** What is left of the capacity meanwhile, where something is replaced. */
const serving = ({ replace, serving: { now, lowest, highest } }: PlanView['entrypoints'][number]): string =>
  replace === 0
    ? ''
    : ` (${lowest < now ? `${lowest} of ${now} serve at the least` : `all ${now} serve`}, ${highest} at the most)`

const shownNodes = 12

/** Where new instances would run. */
function placements(plan: PlanView): string[] {
  const lines = plan.placements.flatMap(({ entrypoint, nodes, missing }) => {
    const shown = nodes.slice(0, shownNodes).map(({ node, count }) => (count === 1 ? node : `${node} ×${count}`))
    const more = nodes.length > shownNodes ? [`and ${nodes.length - shownNodes} other nodes`] : []
    const without = missing === 0 ? [] : [`${missing} nowhere`]
    const text = [...shown, ...more, ...without].join(', ')
    return text === '' ? [] : [`  ${entrypoint}: ${text}`]
  })
  const leaving = plan.placements.flatMap(({ entrypoint, displaces = [] }) =>
    displaces.map(({ instance, node }) => `  ${instance} leaves ${node} for ${entrypoint}`),
  )
  const displaced = leaving.length === 0 ? [] : ['', 'displaced', ...leaving]
  return lines.length === 0 ? [] : ['', 'new instances on', ...lines, ...displaced]
}

function problems(plan: PlanView, style: Style): string[] {
  if (plan.problems.length === 0) return []
  return ['', style.red('in the way'), ...plan.problems.map((problem) => `  ${style.red('✘')} ${problem}`)]
}

/** One line of a spec diff. */
export function formatChange({ op, path, before, after }: Change, style: Style): string {
  if (op === '+') return style.green(`+ ${path}: ${show(after)}`)
  if (op === '-') return style.red(`- ${path}: ${show(before)}`)
  return style.yellow(`~ ${path}: ${show(before)} → ${show(after)}`)
}

const show = (value: unknown): string => {
  const text = JSON.stringify(value) ?? 'nothing'
  return text.length > 100 ? `${text.slice(0, 97)}…` : text
}

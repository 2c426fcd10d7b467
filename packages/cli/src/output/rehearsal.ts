import type { PlanView, RehearsalView } from '@berth/api'
import { formatBytes, formatCores } from './format.ts'
import { formatTable } from './table.ts'

type Stage = RehearsalView['stages'][number]

const shownNodes = 12

/** What cannot be known, as a sentence goes on. */
const unknownTexts: Record<RehearsalView['unknown'][number], string> = {
  gang: 'not gone through: an entrypoint with gang: true starts all at once or not at all',
  preempt: 'not gone through: an entrypoint with preempt: true may ask others to leave',
  balance: 'how busy nodes are by then, which strategy: balance goes by',
  'not-serving': 'when instances that do not serve now will: they count as missing',
  silent: 'what becomes of instances on nodes that are not heard of',
  mixed: 'how far the rollout under way, which this one would take over from, has come by then',
}

/** Which node gets and loses what in each stage, who serves meanwhile, and what is given out at the peak. */
export function formatRehearsal({ rehearsal }: PlanView): string[] {
  if (rehearsal === undefined) return []
  const { stages, end, unknown, kept } = rehearsal
  if (end === 'unknown') return ['', 'places by stage', ...unknown.map((each) => `  ${unknownTexts[each]}`)]
  return [
    ...['', 'places by stage, as long as nothing else happens', ...stages.flatMap(stageLines), ...stuck(rehearsal)],
    ...(end === 'long' ? ['  the rest is not gone through: it would take too long'] : []),
    ...addresses(kept),
    ...['', 'not known'],
    '  what others want meanwhile, and which instance is ready first: both may move places',
    ...unknown.map((each) => `  ${unknownTexts[each]}`),
  ]
}

function stageLines(stage: Stage, index: number): string[] {
  const { name, created, left, serving, peaks } = stage
  const counts = Object.entries(serving).map(
    ([entrypoint, { lowest, highest }]) =>
      `${entrypoint} ${lowest === highest ? lowest : `${lowest} to ${highest}`} in traffic`,
  )
  const head = `  ${index + 1}. ${[name, counts.join(', ')].filter((part) => part !== '').join(': ')}`
  if (peaks.length === 0 && created.length + left.length === 0) return [`${head}; nothing comes or goes`]
  const nodes = [...new Set([...created, ...left].map(({ node }) => node))].sort()
  const rows = nodes
    .slice(0, shownNodes)
    .map((node) => [
      node,
      namesOf(created.filter((each) => each.node === node)),
      namesOf(left.filter((each) => each.node === node)),
      ...peakOf(peaks.find((each) => each.node === node)),
    ])
  const table = formatTable(['node', 'comes', 'goes', 'cores at the peak', 'memory at the peak'], rows)
  const more = nodes.length > shownNodes ? [`     and ${nodes.length - shownNodes} other nodes (-o json has all)`] : []
  return [head, ...table.split('\n').map((line) => `     ${line}`), ...more]
}

/** `web ×2, old db` */
const namesOf = (list: Stage['created']): string =>
  list
    .map(({ entrypoint, isNew, count }) => `${isNew ? 'new' : 'old'} ${entrypoint}${count === 1 ? '' : ` ×${count}`}`)
    .join(', ') || '-'

const peakOf = (peak: Stage['peaks'][number] | undefined): string[] =>
  peak === undefined
    ? ['-', '-']
    : [
        `${formatCores(peak.cpuMilli)} of ${formatCores(peak.ofCpuMilli)}`,
        `${formatBytes(peak.memoryBytes)} of ${formatBytes(peak.ofMemoryBytes)}`,
      ]

const stuck = ({ end, unplaced }: RehearsalView): string[] =>
  end !== 'stuck'
    ? []
    : [
        '  it stops there and would go back:',
        ...unplaced.map(({ entrypoint, count, why }) => `     ${count} of ${entrypoint} without a place: ${why}`),
      ]

function addresses(kept: RehearsalView['kept']): string[] {
  if (kept.length === 0) return []
  const rows = kept.map(({ entrypoint, slot, address, node, home, onlyThere }) => [
    `${entrypoint} ${slot}`,
    address,
    node ?? '-',
    onlyThere === undefined ? 'any node of its range' : `${home ?? 'nowhere'} only: ${onlyThere}`,
  ])
  const table = formatTable(['kept for', 'address', 'then on', 'can be on'], rows)
  return ['', 'kept addresses', ...table.split('\n').map((line) => `  ${line}`)]
}

import type { ReceiptView } from '@berth/api'
import { shortCommit } from '@berth/core'
import { formatSeconds } from './instance-lines.ts'

/** A receipt for people: what, who, how it went, stage by stage. */
export function receiptText(receipt: ReceiptView): string {
  const { rollout, app, pool, reason, from, to, by, state, message, tookMs, failure } = receipt
  return [
    `${rollout}  ${app}/${pool}  ${reason} ${from === undefined ? to : `${from} → ${to}`}`,
    ...row('commit', commitOf(receipt)),
    ...row('by', by),
    ...(receipt.approvals?.given ?? []).flatMap((each) => row('approved', approvedText(each))),
    ...row('frozen', receipt.frozen && `${receipt.frozen.freezes.join(', ')}: ${receipt.frozen.reason}`),
    ...row('began', new Date(receipt.createdAt).toISOString()),
    ...row('result', `${state} in ${formatSeconds(tookMs)}: ${message}`),
    ...row('instances', planOf(receipt)),
    ...row('requests', requestsOf(receipt)),
    ...receipt.stages.flatMap(stageLines),
    ...receipt.pauses.map(
      (pause) => `  paused for ${formatSeconds((pause.until ?? Date.now()) - pause.since)}: ${pause.reason}`,
    ),
    ...lastLines(failure),
  ].join('\n')
}

const approvedText = ({ by, at, admin }: NonNullable<ReceiptView['approvals']>['given'][number]): string =>
  `${by}${admin === true ? ' (admin)' : ''} at ${new Date(at).toISOString()}`

const lastLines = (failure: ReceiptView['failure']): string[] =>
  failure === undefined || failure.logTail.length === 0
    ? []
    : [
        `  the last lines${failure.instance === undefined ? '' : ` of ${failure.instance}`}:`,
        ...failure.logTail.map((line) => `    ${line}`),
      ]

type HookView = NonNullable<ReceiptView['stages'][number]['before']>[number]

const row = (name: string, value: string | undefined): string[] =>
  value === undefined ? [] : [`  ${name.padEnd(10)} ${value}`]

const commitOf = ({ commit, subject }: ReceiptView): string | undefined =>
  commit === undefined ? undefined : `${shortCommit(commit)}  ${subject ?? ''}`.trimEnd()

function planOf({ plan }: ReceiptView): string | undefined {
  const parts = Object.entries(plan).map(([name, { before, after }]) =>
    before === after ? `${name} ${after}` : `${name} ${before} → ${after}`,
  )
  return parts.length === 0 ? undefined : parts.join(', ')
}

function requestsOf({ requests }: ReceiptView): string | undefined {
  if (requests === undefined) return undefined
  const { before, after } = requests
  const times = (['p50Ms', 'p99Ms'] as const).flatMap((key) =>
    before[key] === undefined || after[key] === undefined
      ? []
      : [`${key.slice(0, 3)} ${before[key]} ms before, ${after[key]} ms after`],
  )
  return [`${requests.requests} served, ${requests.errors} answered 5xx, ${requests.lost} lost`, ...times].join('; ')
}

function stageLines(stage: ReceiptView['stages'][number], index: number): string[] {
  const { name, tookMs, skippedBy, served, gates, share, before = [], after = [] } = stage
  const time = tookMs === undefined ? 'not begun' : formatSeconds(tookMs)
  const who = Object.entries(served ?? {}).map(([entrypoint, count]) => `${entrypoint} ${count}`)
  const part = share === undefined ? [] : [`${share / 10}% of the requests`]
  const parts = [time, ...part, ...who, ...(skippedBy === undefined ? [] : [`skipped by ${skippedBy}`])]
  return [
    `  stage ${index + 1}    ${name}: ${parts.join(', ')}`,
    ...before.flatMap((hook) => hookLines('before', hook)),
    ...gates.map(
      ({ message, verdict, by }) => `    ${verdict.padEnd(8)} ${message}${by === undefined ? '' : `: ${by}`}`,
    ),
    ...after.flatMap((hook) => hookLines('after', hook)),
  ]
}

function hookLines(when: string, { state, message, by, output = '' }: HookView): string[] {
  const line = `    ${state.padEnd(8)} ${when}: ${message}${by === undefined ? '' : `; ${by} let it go on`}`
  return [line, ...(output === '' ? [] : output.trimEnd().split('\n')).map((each) => `      ${each}`)]
}

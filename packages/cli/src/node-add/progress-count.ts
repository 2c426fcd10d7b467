interface Counted {
  readonly mark: 'running' | 'done' | 'failed'
  readonly step: string
}

/** `37 of 200 done, 3 failed, 10 under way (7 gets the executable, 3 joins), 150 wait` */
export function countLine(total: number, lines: Iterable<Counted>): string {
  let [done, failed, begun] = [0, 0, 0]
  const steps = new Map<string, number>()
  for (const { mark, step } of lines) {
    begun += 1
    if (mark === 'done') done += 1
    else if (mark === 'failed') failed += 1
    else steps.set(step, (steps.get(step) ?? 0) + 1)
  }
  const running = begun - done - failed
  const under = [...steps].map(([step, count]) => `${count} ${step}`).join(', ')
  return [
    `${done} of ${total} done`,
    ...(failed > 0 ? [`${failed} failed`] : []),
    ...(running > 0 ? [`${running} under way (${under})`] : []),
    ...(begun < total ? [`${total - begun} wait`] : []),
  ].join(', ')
}

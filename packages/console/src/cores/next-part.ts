/** Where an arrow key leads from a part of the map; undefined: nowhere. Up and down go by what is seen, since rows are as wide as the window. */
export function nextPart(key: string, from: HTMLElement | null, box: HTMLElement | null): HTMLElement | undefined {
  if (from === null || box === null) return undefined
  const parts = [...box.querySelectorAll<HTMLElement>('[data-part]')]
  const index = parts.indexOf(from)
  if (key === 'ArrowRight') return parts[index + 1]
  if (key === 'ArrowLeft') return parts[index - 1]
  if (key === 'Home') return parts[0]
  if (key === 'End') return parts.at(-1)
  if (key === 'ArrowDown') return nearest(from, parts.slice(index + 1), 1)
  return key === 'ArrowUp' ? nearest(from, parts.slice(0, index).reverse(), -1) : undefined
}

/** Of the next row in this direction the one that is closest sideways. `others` are sorted from the nearest row on. */
function nearest(from: HTMLElement, others: readonly HTMLElement[], direction: 1 | -1): HTMLElement | undefined {
  const start = from.getBoundingClientRect()
  const middle = (rect: DOMRect): number => rect.left + rect.width / 2
  let row: number | undefined
  let best: { readonly part: HTMLElement; readonly away: number } | undefined
  for (const part of others) {
    const rect = part.getBoundingClientRect()
    if ((rect.top - start.top) * direction < start.height / 2) continue
    row ??= rect.top
    if (Math.abs(rect.top - row) > rect.height / 2) break
    const away = Math.abs(middle(rect) - middle(start))
    if (best === undefined || away < best.away) best = { part, away }
  }
  return best?.part
}

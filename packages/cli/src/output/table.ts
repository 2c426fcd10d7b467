import { stripVTControlCharacters } from 'node:util'

/** Upper-case headers, columns as wide as their widest cell, no trailing blanks. Cells may hold colour. */
export function formatTable(headers: readonly string[], rows: readonly (readonly string[])[]): string {
  const lines = [headers.map((header) => header.toUpperCase()), ...rows]
  const widths = headers.map((_, column) => Math.max(...lines.map((line) => widthOf(line[column] ?? ''))))
  return lines
    .map((line) =>
      line
        .map((cell, column) => cell + ' '.repeat(Math.max(0, (widths[column] ?? 0) - widthOf(cell))))
        .join('  ')
        .trimEnd(),
    )
    .join('\n')
}

/** Columns on a terminal: East Asian wide characters take two. */
export function widthOf(text: string): number {
  let width = 0
  for (const character of stripVTControlCharacters(text))
    width += /[\u1100-\u115f\u2e80-\ua4cf\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe4f\uff00-\uff60\uffe0-\uffe6]/.test(
      character,
    )
      ? 2
      : 1
  return width
}

import { type ReactNode, useState } from 'react'
import { useText } from '../i18n/language.tsx'
import { Button } from './button.tsx'

export interface Column<T> {
  readonly key: string
  readonly title: string
  readonly cell: (row: T) => ReactNode
  readonly align?: 'right'
  /** Names the row; becomes the head of its card on narrow screens. */
  readonly lead?: boolean
  /** Takes what is left of the width. */
  readonly wide?: boolean
}

interface TableProps<T> {
  readonly label: string
  readonly columns: readonly Column<T>[]
  readonly rows: readonly T[]
  readonly rowKey: (row: T) => string
  readonly marked?: (row: T) => boolean
  readonly tone?: (row: T) => 'bad' | undefined
}

/** Browsers lay out some hundreds of rows in no time, and stand still over ten thousand. */
const sliceRows = 200

/** A table, its first rows for a start; on narrow screens each row is a card (`styles/table.css`). */
export function Table<T>(props: TableProps<T>) {
  const text = useText()
  const [shown, setShown] = useState(sliceRows)
  const { rows } = props
  if (rows.length <= shown) return <Rows {...props} />
  return (
    <>
      <Rows {...props} rows={rows.slice(0, shown)} />
      <p className="table-more">
        <span className="muted">{text.slice.shown(shown, rows.length)}</span>
        <Button small onClick={() => setShown(shown + sliceRows)}>
          {text.slice.more}
        </Button>
      </p>
    </>
  )
}

function Rows<T>({ label, columns, rows, rowKey, marked, tone }: TableProps<T>) {
  return (
    <table className="table" aria-label={label}>
      <thead>
        <tr>
          {columns.map((column) => (
            <th key={column.key} scope="col" className={headClass(column)}>
              {column.title}
            </th>
          ))}
        </tr>
      </thead>
      <tbody>
        {rows.map((row) => (
          <tr key={rowKey(row)} className={rowClass(marked?.(row), tone?.(row))}>
            {columns.map((column) => (
              <td key={column.key} data-label={column.title} className={cellClass(column)}>
                {column.cell(row)}
              </td>
            ))}
          </tr>
        ))}
      </tbody>
    </table>
  )
}

const headClass = <T,>({ align, wide }: Column<T>): string => [align, wide && 'wide'].filter(Boolean).join(' ')

const cellClass = <T,>({ align, lead, key }: Column<T>): string =>
  [align, lead && 'lead', key === 'action' && 'action'].filter(Boolean).join(' ')

const rowClass = (marked: boolean | undefined, tone: 'bad' | undefined): string =>
  [marked && 'row-marked', tone && `row-${tone}`].filter(Boolean).join(' ')

export function Skeleton({ rows = 4 }: { readonly rows?: number }) {
  return (
    <div className="skeleton" role="status" aria-busy="true">
      {Array.from({ length: rows }, (_, index) => (
        // biome-ignore lint/suspicious/noArrayIndexKey: the rows are all alike
        <span key={index} className="skeleton-row" style={{ width: `${92 - ((index * 17) % 40)}%` }} />
      ))}
    </div>
  )
}

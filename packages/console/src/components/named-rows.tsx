import { type ReactNode, useState } from 'react'
import { useQueryValue } from '../router/location.ts'
import type { Snapshot } from '../store/collection.ts'
import { RoleButton } from './button.tsx'
import type { IconName } from './icons.tsx'
import { Empty, Section } from './layout.tsx'
import { Listing } from './listing.tsx'
import { Filter } from './small.tsx'
import { type Column, Table } from './table.tsx'

export interface NamedRowsProps<T> {
  readonly of: Snapshot<T>
  readonly icon: IconName
  readonly label: string
  readonly words: {
    /** Absent: none is made here. */
    readonly add?: string
    readonly filter: string
    readonly empty: string
    readonly emptyHint: string
  }
  readonly columns: readonly Column<T>[]
  /** At the end of each row; `edit` opens its dialog. */
  readonly actions?: (row: T, edit: () => void) => ReactNode
  /** What the filter looks at. */
  readonly textsOf: (row: T) => readonly string[]
  /** For a new one where `row` is absent. */
  readonly dialog: (row: T | undefined, onClose: () => void) => ReactNode
}

/** Things that have a name and are made and changed in a dialog, in a table with a filter above it. */
export function NamedRows<T extends { readonly name: string }>(props: NamedRowsProps<T>) {
  const { of, icon, label, words, columns, actions, textsOf, dialog } = props
  const [filter, setFilter] = useQueryValue('filter')
  const [editing, setEditing] = useState<{ readonly row?: T }>()
  const wanted = filter.trim().toLowerCase()
  const actionColumn: Column<T> = {
    ...{ key: 'action', title: '', align: 'right' },
    cell: (row) => actions?.(row, () => setEditing({ row })),
  }
  const add = words.add !== undefined && (
    <RoleButton needs="admin" kind="primary" icon="plus" onClick={() => setEditing({})}>
      {words.add}
    </RoleButton>
  )
  return (
    <>
      <div className="list-bar">
        <Filter value={filter} onChange={setFilter} label={words.filter} />
        {of.items.length > 0 && add}
      </div>
      <Section flush>
        <Listing
          of={of}
          empty={
            <Empty icon={icon} title={words.empty} hint={words.emptyHint}>
              {add}
            </Empty>
          }
        >
          {(items) => (
            <Table
              label={label}
              columns={actions === undefined ? columns : [...columns, actionColumn]}
              rows={items
                .filter((row) => textsOf(row).some((each) => each.toLowerCase().includes(wanted)))
                .toSorted((a, b) => a.name.localeCompare(b.name))}
              rowKey={({ name }) => name}
            />
          )}
        </Listing>
      </Section>
      {editing !== undefined && dialog(editing.row, () => setEditing(undefined))}
    </>
  )
}

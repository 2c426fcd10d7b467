import type { FreezeView } from '@berth/api/release-resources'
import { Until } from '../components/age.tsx'
import { NamedRows } from '../components/named-rows.tsx'
import { RowButtons, removalOf } from '../components/row-buttons.tsx'
import { personOf } from '../components/small.tsx'
import { Mark } from '../components/status.tsx'
import type { Column } from '../components/table.tsx'
import { formatDuration } from '../format/quantities.ts'
import { formatTime } from '../format/times.ts'
import { useLanguage } from '../i18n/language.tsx'
import { useClient, useList } from '../store/context.tsx'
import { FreezeDialog } from './freeze-dialog.tsx'
import { placeColumn } from './place-column.ts'

/** Times in which nothing new is deployed. */
export function FreezesTab() {
  const { text: all, language } = useLanguage()
  const { freezes: text, clusterSettings: settings } = all
  const client = useClient()
  const whenText = ({ when }: FreezeView): string =>
    when.type === 'once'
      ? text.once(formatTime(when.from, language), formatTime(when.until, language))
      : text.again(when.cron, when.zone, formatDuration(when.forMs))
  const columns: readonly Column<FreezeView>[] = [
    { key: 'name', title: text.name, lead: true, cell: ({ name }) => <code>{name}</code> },
    placeColumn(text),
    { key: 'when', title: text.when, cell: whenText },
    {
      key: 'now',
      title: text.now,
      cell: ({ until }) =>
        until === undefined ? (
          <span className="muted">{text.not}</span>
        ) : (
          <span className="status tone-warn">
            <Mark tone="warn" />
            <span>
              {text.frozenUntil} <Until at={until} />
            </span>
          </span>
        ),
    },
    { key: 'reason', title: text.reason, wide: true, cell: ({ reason }) => reason },
    { key: 'by', title: text.by, cell: ({ createdBy }) => personOf(createdBy) },
  ]
  return (
    <NamedRows
      of={useList('listFreezes', {})}
      icon="calendar"
      label={settings.tabs.freezes}
      words={text}
      columns={columns}
      actions={({ name }) => (
        <RowButtons
          {...removalOf(text, name)}
          needs="admin"
          name={name}
          remove={() => client.call('removeFreeze', { params: { name } })}
        />
      )}
      textsOf={({ name, app = '', pool = '', reason }) => [name, app, pool, reason]}
      dialog={(_, onClose) => <FreezeDialog onClose={onClose} />}
    />
  )
}

import type { NodeView } from '@berth/api/resources'
import { useState } from 'react'
import { Button, IconButton } from '../components/button.tsx'
import { Dialog } from '../components/dialog.tsx'
import { Problem } from '../components/layout.tsx'
import { useText } from '../i18n/language.tsx'
import { useSubmit } from '../live/use-submit.ts'
import { useClient } from '../store/context.tsx'

interface Row {
  readonly id: number
  readonly key: string
  readonly value: string
}

/** What has to be said to get from the labels of before to these; null removes one. */
export function labelChanges(
  before: Readonly<Record<string, string>>,
  rows: readonly { readonly key: string; readonly value: string }[],
): Readonly<Record<string, string | null>> {
  const wanted = Object.fromEntries(rows.filter(({ key }) => key !== '').map(({ key, value }) => [key, value]))
  const removed = Object.keys(before).filter((key) => !(key in wanted))
  const changed = Object.entries(wanted).filter(([key, value]) => before[key] !== value)
  return Object.fromEntries([...removed.map((key) => [key, null] as const), ...changed])
}

export function LabelsDialog({ node, onClose }: { readonly node: NodeView; readonly onClose: () => void }) {
  const { labels: text, common } = useText()
  const client = useClient()
  const { busy, problem, submit } = useSubmit()
  const [rows, setRows] = useState<readonly Row[]>(() => startOf(node.labels))
  const labels = labelChanges(node.labels, rows)
  const twice = rows.find(({ key }, index) => key !== '' && rows.findIndex((each) => each.key === key) < index)
  const change = (id: number, part: Partial<Row>) =>
    setRows(rows.map((row) => (row.id === id ? { ...row, ...part } : row)))
  const save = () =>
    submit({
      run: () => client.call('updateNode', { params: { name: node.name }, body: { labels: { ...labels } } }),
      done: text.saved(node.name),
      after: onClose,
    })
  return (
    <Dialog
      title={text.title(node.name)}
      onClose={onClose}
      onSubmit={save}
      footer={
        <>
          <Button onClick={onClose}>{common.cancel}</Button>
          <Button
            kind="primary"
            type="submit"
            disabled={busy || Object.keys(labels).length === 0 || twice !== undefined}
          >
            {text.submit}
          </Button>
        </>
      }
    >
      <Problem text={problem ?? (twice && text.twice(twice.key))} />
      <p className="muted">{text.hint}</p>
      <ul className="label-rows">
        {rows.map(({ id, key, value }, index) => (
          <li key={id}>
            <input
              className="mono"
              aria-label={`${text.key} ${index + 1}`}
              placeholder={text.key}
              spellCheck={false}
              value={key}
              onChange={(event) => change(id, { key: event.target.value.trim() })}
            />
            <span aria-hidden="true">=</span>
            <input
              className="mono"
              aria-label={`${text.value} ${index + 1}`}
              placeholder={text.value}
              spellCheck={false}
              value={value}
              onChange={(event) => change(id, { value: event.target.value.trim() })}
            />
            <IconButton
              icon="close"
              label={text.remove(key === '' ? String(index + 1) : key)}
              onClick={() => setRows(rows.filter((row) => row.id !== id))}
            />
          </li>
        ))}
      </ul>
      <Button small icon="plus" className="button-start" onClick={() => setRows([...rows, emptyAfter(rows)])}>
        {text.add}
      </Button>
    </Dialog>
  )
}

function startOf(labels: Readonly<Record<string, string>>): readonly Row[] {
  const rows = Object.entries(labels).map(([key, value], id) => ({ id, key, value }))
  return rows.length === 0 ? [emptyAfter(rows)] : rows
}

const emptyAfter = (rows: readonly Row[]): Row => ({
  id: Math.max(-1, ...rows.map((row) => row.id)) + 1,
  key: '',
  value: '',
})

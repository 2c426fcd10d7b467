import { useState } from 'react'
import { Button, IconButton } from '../components/button.tsx'
import { Dialog } from '../components/dialog.tsx'
import { Problem } from '../components/layout.tsx'
import { useText } from '../i18n/language.tsx'
import { useSubmit } from '../live/use-submit.ts'

type Pairs = Readonly<Record<string, string>>

interface Row {
  readonly id: number
  readonly key: string
  readonly value: string
}

/** What has to be said to get from the pairs of before to these; null removes one. */
export function pairChanges(
  before: Pairs,
  rows: readonly { readonly key: string; readonly value: string }[],
): Readonly<Record<string, string | null>> {
  const wanted = Object.fromEntries(rows.filter(({ key }) => key !== '').map(({ key, value }) => [key, value]))
  const removed = Object.keys(before).filter((key) => !(key in wanted))
  const changed = Object.entries(wanted).filter(([key, value]) => before[key] !== value)
  return Object.fromEntries([...removed.map((key) => [key, null] as const), ...changed])
}

interface PairsDialogProps {
  readonly title: string
  readonly hint: string
  readonly words: { readonly key: string; readonly value: string; readonly add: string }
  readonly removeWord: (key: string) => string
  readonly before: Pairs
  readonly save: (changes: Readonly<Record<string, string | null>>) => Promise<unknown>
  readonly done: string
  readonly onClose: () => void
}

/** Names with values, line by line: labels, taints, resources of a node. */
export function PairsDialog({ title, hint, words, removeWord, before, save, done, onClose }: PairsDialogProps) {
  const { labels: text, common } = useText()
  const { busy, problem, submit } = useSubmit()
  const [rows, setRows] = useState<readonly Row[]>(() => startOf(before))
  const changes = pairChanges(before, rows)
  const twice = rows.find(({ key }, index) => key !== '' && rows.findIndex((each) => each.key === key) < index)
  const change = (id: number, part: Partial<Row>) =>
    setRows(rows.map((row) => (row.id === id ? { ...row, ...part } : row)))
  return (
    <Dialog
      title={title}
      onClose={onClose}
      onSubmit={() => submit({ run: () => save(changes), done, after: onClose })}
      footer={
        <>
          <Button onClick={onClose}>{common.cancel}</Button>
          <Button
            kind="primary"
            type="submit"
            disabled={busy || Object.keys(changes).length === 0 || twice !== undefined}
          >
            {text.submit}
          </Button>
        </>
      }
    >
      <Problem text={problem ?? (twice && text.twice(twice.key))} />
      <p className="muted">{hint}</p>
      <ul className="label-rows">
        {rows.map(({ id, key, value }, index) => (
          <li key={id}>
            <input
              className="mono"
              aria-label={`${words.key} ${index + 1}`}
              placeholder={words.key}
              spellCheck={false}
              value={key}
              onChange={(event) => change(id, { key: event.target.value.trim() })}
            />
            <span aria-hidden="true">=</span>
            <input
              className="mono"
              aria-label={`${words.value} ${index + 1}`}
              placeholder={words.value}
              spellCheck={false}
              value={value}
              onChange={(event) => change(id, { value: event.target.value.trim() })}
            />
            <IconButton
              icon="close"
              label={removeWord(key === '' ? String(index + 1) : key)}
              onClick={() => setRows(rows.filter((row) => row.id !== id))}
            />
          </li>
        ))}
      </ul>
      <Button small icon="plus" className="button-start" onClick={() => setRows([...rows, emptyAfter(rows)])}>
        {words.add}
      </Button>
    </Dialog>
  )
}

function startOf(pairs: Pairs): readonly Row[] {
  const rows = Object.entries(pairs).map(([key, value], id) => ({ id, key, value }))
  return rows.length === 0 ? [emptyAfter(rows)] : rows
}

const emptyAfter = (rows: readonly Row[]): Row => ({
  id: Math.max(-1, ...rows.map((row) => row.id)) + 1,
  key: '',
  value: '',
})

import { useCallback } from 'react'
import { useText } from '../i18n/language.tsx'
import { OutputView } from '../output/output-view.tsx'
import { type OpenLines, useLines } from '../output/use-lines.ts'
import { useQueryValue } from '../router/location.ts'
import { useClient } from '../store/context.tsx'

interface LogsPanelProps {
  readonly query: { readonly app?: string; readonly pool?: string; readonly instance?: string }
  readonly entrypoints?: readonly string[]
}

const tail = 500
/** Minutes to go back, instead of a number of lines. */
const backs = [15, 60, 1_440] as const
/** As many as are kept here. */
const most = 3_000

export default function LogsPanel({ query, entrypoints = [] }: LogsPanelProps) {
  const text = useText()
  const client = useClient()
  const [entrypoint, setEntrypoint] = useQueryValue('entrypoint')
  const [minutes, setMinutes] = useQueryValue('minutes')
  const { app, pool, instance } = query
  const open = useCallback<OpenLines>(
    (since, signal) => {
      const from = since === undefined ? startOf(minutes) : { sinceMs: String(since) }
      const wanted = { app, pool, instance, ...(entrypoint === '' ? {} : { entrypoint }), follow: 'true', ...from }
      return client.lines('getLogs', { query: wanted }, { signal })
    },
    [client, app, pool, instance, entrypoint, minutes],
  )
  return (
    <>
      {entrypoints.length > 1 && (
        <fieldset className="choices" aria-label={text.logs.entrypoint}>
          {['', ...entrypoints].map((each) => (
            <button
              key={each}
              type="button"
              className="choice-button"
              aria-pressed={entrypoint === each}
              onClick={() => setEntrypoint(each)}
            >
              {each === '' ? text.common.all : each}
            </button>
          ))}
        </fieldset>
      )}
      <OutputView
        output={useLines(open)}
        name={instance ?? `${app}-${pool}`}
        withInstance={instance === undefined}
        from={<BackChoice value={minutes} onChange={setMinutes} />}
      />
    </>
  )
}

function startOf(minutes: string): { readonly tail: string; readonly sinceMs?: string } {
  if (minutes === '') return { tail: String(tail) }
  return { tail: String(most), sinceMs: String(Date.now() - Number(minutes) * 60_000) }
}

interface BackChoiceProps {
  readonly value: string
  readonly onChange: (value: string) => void
}

function BackChoice({ value, onChange }: BackChoiceProps) {
  const { logs: text } = useText()
  return (
    <select
      className="select-small"
      aria-label={text.from}
      value={value}
      onChange={(event) => onChange(event.target.value)}
    >
      <option value="">{text.lastLines(tail)}</option>
      {backs.map((minutes) => (
        <option key={minutes} value={minutes}>
          {minutes < 60 ? text.lastMinutes(minutes) : text.lastHours(minutes / 60)}
        </option>
      ))}
    </select>
  )
}

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

export default function LogsPanel({ query, entrypoints = [] }: LogsPanelProps) {
  const text = useText()
  const client = useClient()
  const [entrypoint, setEntrypoint] = useQueryValue('entrypoint')
  const { app, pool, instance } = query
  const open = useCallback<OpenLines>(
    (since, signal) => {
      const from = since === undefined ? { tail: String(tail) } : { sinceMs: String(since) }
      const wanted = { app, pool, instance, ...(entrypoint === '' ? {} : { entrypoint }), follow: 'true', ...from }
      return client.lines('getLogs', { query: wanted }, { signal })
    },
    [client, app, pool, instance, entrypoint],
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
      <OutputView output={useLines(open)} name={instance ?? `${app}-${pool}`} withInstance={instance === undefined} />
    </>
  )
}

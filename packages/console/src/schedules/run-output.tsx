import { useCallback } from 'react'
import { LogTail } from '../components/small.tsx'
import { useText } from '../i18n/language.tsx'
import { type OpenLines, useLines } from '../output/use-lines.ts'
import { useClient } from '../store/context.tsx'

const most = 200

/** The end of what a run wrote, live while it runs. */
export function RunOutput({ instance }: { readonly instance: string }) {
  const { common, logs } = useText()
  const client = useClient()
  const open = useCallback<OpenLines>(
    (since, signal) => {
      const from = since === undefined ? { tail: String(most) } : { sinceMs: String(since) }
      return client.lines('getLogs', { query: { instance, follow: 'true', ...from } }, { signal })
    },
    [client, instance],
  )
  const { lines, state } = useLines(open)
  if (lines.length === 0) return <p className="quiet-line">{state === 'loading' ? common.loading : logs.empty}</p>
  return (
    <div className="run-output">
      <LogTail lines={lines.slice(-most).map(({ line }) => line)} />
    </div>
  )
}

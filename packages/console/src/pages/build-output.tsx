import { useCallback } from 'react'
import { OutputView } from '../output/output-view.tsx'
import { type OpenLines, useLines } from '../output/use-lines.ts'
import { useClient } from '../store/context.tsx'

export default function BuildOutput({ build }: { readonly build: string }) {
  const client = useClient()
  const open = useCallback<OpenLines>(
    (_, signal) => client.lines('getBuildOutput', { params: { id: build }, query: { follow: 'true' } }, { signal }),
    [client, build],
  )
  return <OutputView output={useLines(open)} name={build} />
}

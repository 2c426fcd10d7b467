import type { CronView } from '@berth/api/scheduling-resources'
import { RoleButton } from '../components/button.tsx'
import { useText } from '../i18n/language.tsx'
import { useAction } from '../live/use-action.ts'
import { path } from '../router/match-path.ts'
import { useClient } from '../store/context.tsx'

interface RunNowButtonProps {
  readonly cron: CronView
  readonly onRun?: () => void
}

/** Runs what runs by the clock once more, besides its schedule. */
export function RunNowButton({ cron, onRun }: RunNowButtonProps) {
  const { schedule: text, jobs } = useText()
  const client = useClient()
  const { busy, act } = useAction()
  const { app, pool, entrypoint } = cron
  const run = async () => {
    const started = await act({
      run: () => client.call('runCron', { params: { app, pool, entrypoint } }),
      done: jobs.started(`${app}/${pool}`),
      to: ({ id }) => path('instances', id),
    })
    if (started !== undefined) onRun?.()
  }
  return (
    <RoleButton
      needs="deployer"
      small
      icon="play"
      disabled={busy}
      onClick={() => void run()}
      aria-label={`${text.runNow} ${entrypoint}`}
    >
      {text.runNow}
    </RoleButton>
  )
}

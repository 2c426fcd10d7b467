import type { ApprovalView } from '@berth/api/scheduling-resources'
import { RoleButton } from '../components/button.tsx'
import { useText } from '../i18n/language.tsx'
import { useAction } from '../live/use-action.ts'
import { useClient } from '../store/context.tsx'

interface ApprovalButtonsProps {
  readonly approval: ApprovalView
  readonly onDecided?: () => void
}

/** Yes and no to a wish for memory. Whether it is theirs to say is known to the server. */
export function ApprovalButtons({ approval, onDecided }: ApprovalButtonsProps) {
  const { approval: text } = useText()
  const client = useClient()
  const { busy, act } = useAction()
  const { app, pool, entrypoint } = approval
  const decide = async (decision: 'approve' | 'deny') => {
    const decided = await act({
      run: () => client.call('decideApproval', { params: { app, pool, entrypoint }, body: { decision } }),
      done: text.done[decision](entrypoint),
    })
    if (decided !== undefined) onDecided?.()
  }
  return (
    <span className="row-actions">
      <RoleButton needs="deployer" small disabled={busy} onClick={() => void decide('deny')}>
        {text.deny}
      </RoleButton>
      <RoleButton needs="deployer" small kind="primary" disabled={busy} onClick={() => void decide('approve')}>
        {text.approve}
      </RoleButton>
    </span>
  )
}

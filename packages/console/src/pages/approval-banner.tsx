import type { Answer } from '@berth/api/client'
import { RoleButton } from '../components/button.tsx'
import { Banner } from '../components/layout.tsx'
import { personOf } from '../components/small.tsx'
import { formatBytes } from '../format/quantities.ts'
import { useText } from '../i18n/language.tsx'
import { useAction } from '../live/use-action.ts'
import { useClient } from '../store/context.tsx'

type Approval = Answer<'listApprovals'>

/** Somebody asked for more memory than the node group gives without asking: who may decide does it here. */
export function ApprovalBanner({
  approval,
  onDecided,
}: {
  readonly approval: Approval
  readonly onDecided: () => void
}) {
  const { approval: text } = useText()
  const client = useClient()
  const { busy, act } = useAction()
  const { app, pool, entrypoint, group, memoryBytes, requestedBy } = approval
  const decide = async (decision: 'approve' | 'deny') => {
    const decided = await act({
      run: () => client.call('decideApproval', { params: { app, pool, entrypoint }, body: { decision } }),
      done: text.done[decision](entrypoint),
    })
    if (decided !== undefined) onDecided()
  }
  return (
    <Banner
      tone="warn"
      title={text.title(entrypoint, formatBytes(memoryBytes))}
      lines={[text.by(personOf(requestedBy), group)]}
    >
      <span className="row-actions">
        <RoleButton needs="deployer" small disabled={busy} onClick={() => void decide('deny')}>
          {text.deny}
        </RoleButton>
        <RoleButton needs="deployer" small kind="primary" disabled={busy} onClick={() => void decide('approve')}>
          {text.approve}
        </RoleButton>
      </span>
    </Banner>
  )
}

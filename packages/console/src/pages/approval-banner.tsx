import type { ApprovalView } from '@berth/api/scheduling-resources'
import { ApprovalButtons } from '../actions/approval-buttons.tsx'
import { Banner } from '../components/layout.tsx'
import { personOf } from '../components/small.tsx'
import { formatBytes } from '../format/quantities.ts'
import { useText } from '../i18n/language.tsx'

interface ApprovalBannerProps {
  readonly approval: ApprovalView
  readonly onDecided: () => void
}

/** Somebody asked for more memory than the node group gives without asking: who may decide does it here. */
export function ApprovalBanner({ approval, onDecided }: ApprovalBannerProps) {
  const { approval: text } = useText()
  const { entrypoint, group, memoryBytes, requestedBy } = approval
  return (
    <Banner
      tone="warn"
      title={text.title(entrypoint, formatBytes(memoryBytes))}
      lines={[text.by(personOf(requestedBy), group)]}
    >
      <ApprovalButtons approval={approval} onDecided={onDecided} />
    </Banner>
  )
}

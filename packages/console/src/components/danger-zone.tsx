import { useText } from '../i18n/language.tsx'
import { useMay } from '../live/session.tsx'
import { Button } from './button.tsx'

interface DangerZoneProps {
  readonly needs: 'deployer' | 'admin'
  readonly title: string
  readonly hint: string
  readonly verb: string
  readonly removing?: boolean
  readonly onRemove: () => void
}

/** What cannot be undone stands apart, at the end of its page. */
export function DangerZone({ needs, title, hint, verb, removing = false, onRemove }: DangerZoneProps) {
  const { removal: text } = useText()
  const may = useMay(needs)
  if (!may) return null
  return (
    <section className="section">
      <div className="panel danger-zone">
        <div>
          <h2>{title}</h2>
          <p className="muted">{removing ? text.underWay : hint}</p>
        </div>
        <Button kind="danger" icon="trash" disabled={removing} onClick={onRemove}>
          {verb}
        </Button>
      </div>
    </section>
  )
}

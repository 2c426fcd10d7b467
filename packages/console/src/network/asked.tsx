import { Age } from '../components/age.tsx'
import { Button } from '../components/button.tsx'
import { Banner } from '../components/layout.tsx'
import { useText } from '../i18n/language.tsx'

interface AskedProps {
  /** When the nodes answered last. */
  readonly at: number | undefined
  readonly everyMs: number
  readonly onAsk: () => void
}

/** How old what is shown is. */
export function Asked({ at, everyMs, onAsk }: AskedProps) {
  const { network: text } = useText()
  return (
    <p className="asked muted small">
      <span>
        {text.asked} <Age at={at} /> · {text.every(everyMs / 1000)}
      </span>
      <Button small onClick={onAsk}>
        {text.askNow}
      </Button>
    </p>
  )
}

interface SilentProps {
  readonly silent: readonly { readonly node: string; readonly message: string }[]
}

/** Nodes whose part is missing. */
export function Silent({ silent }: SilentProps) {
  const { network: text } = useText()
  if (silent.length === 0) return null
  const lines = silent.slice(0, 5).map(({ node, message }) => `${node}: ${message}`)
  const rest = silent.length - lines.length
  return <Banner tone="warn" title={text.silent(silent.length)} lines={rest > 0 ? [...lines, `+ ${rest}`] : lines} />
}

import { Button } from './button.tsx'
import { Dialog } from './dialog.tsx'
import { Banner } from './layout.tsx'
import { Code } from './small.tsx'

interface ShownOnceProps {
  readonly title: string
  /** That it is never shown again. */
  readonly warning: string
  /** Each can be copied whole. */
  readonly texts: readonly { readonly label: string; readonly value: string; readonly hint?: string }[]
  /** What the button says. */
  readonly kept: string
  readonly onClose: () => void
}

/** A secret that has just been made. It is in this dialog and nowhere else. */
export function ShownOnce({ title, warning, texts, kept, onClose }: ShownOnceProps) {
  return (
    <Dialog
      title={title}
      wide
      onClose={onClose}
      onSubmit={onClose}
      footer={
        <Button kind="primary" type="submit" autoFocus>
          {kept}
        </Button>
      }
    >
      <Banner tone="warn" title={warning} />
      {texts.map(({ label, value, hint }) => (
        <div key={label} className="field">
          <span className="field-label">{label}</span>
          <div className="command">
            <Code copy>{value}</Code>
          </div>
          {hint !== undefined && <span className="field-hint">{hint}</span>}
        </div>
      ))}
    </Dialog>
  )
}

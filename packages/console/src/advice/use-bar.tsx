import { useText } from '../i18n/language.tsx'

interface UseBarProps {
  readonly name: string
  readonly asked: number | undefined
  readonly advised: number | undefined
  /** What it takes nearly always, and at most. */
  readonly usual: number
  readonly most: number
  readonly format: (value: number) => string
}

/** What is used, as a bar, with a line where it is asked for and one where it had better be. */
export function UseBar({ name, asked, advised, usual, most, format }: UseBarProps) {
  const { advice: text } = useText()
  const end = Math.max(asked ?? 0, advised ?? 0, most) || 1
  const at = (value: number): string => `${(100 * value) / end}%`
  const words = [
    usual === most ? undefined : text.usual(format(usual)),
    text.most(format(most)),
    asked === undefined ? text.asksNothing : text.asks(format(asked)),
  ]
  return (
    <div className="use-bar">
      <span className="muted">{name}</span>
      <span className="use-track" aria-hidden="true">
        <span className="use-most" style={{ width: at(most) }} />
        <span className="use-usual" style={{ width: at(usual) }} />
        {asked !== undefined && <span className="use-asked" style={{ left: at(asked) }} />}
        {advised !== undefined && <span className="use-advised" style={{ left: at(advised) }} />}
      </span>
      <span className="small">{words.filter((word) => word !== undefined).join(' · ')}</span>
    </div>
  )
}

import { type KeyboardEvent, useId, useState } from 'react'
import { Button } from '../components/button.tsx'
import { Icon } from '../components/icons.tsx'
import { useText } from '../i18n/language.tsx'

interface ChipsFieldProps {
  readonly label: string
  readonly hint: string
  readonly placeholder: string
  readonly values: readonly string[]
  readonly options?: readonly string[]
  /** What may be added. */
  readonly fits: (text: string) => boolean
  readonly onChange: (values: readonly string[]) => void
}

/** Several short texts: one is written and added, each can be taken away. */
export function ChipsField({ label, hint, placeholder, values, options, fits, onChange }: ChipsFieldProps) {
  const { plan: text } = useText()
  const id = useId()
  const [draft, setDraft] = useState('')
  const good = fits(draft.trim()) && !values.includes(draft.trim())
  const add = () => {
    if (!good) return
    onChange([...values, draft.trim()])
    setDraft('')
  }
  const onKey = (event: KeyboardEvent) => {
    if (event.key !== 'Enter' || draft === '') return
    event.preventDefault()
    add()
  }
  return (
    <div className="field">
      <label className="field-label" htmlFor={id}>
        {label}
      </label>
      <span className="chips-field">
        <input
          id={id}
          className="mono"
          spellCheck={false}
          autoComplete="off"
          placeholder={placeholder}
          aria-invalid={draft !== '' && !good}
          {...(options === undefined ? {} : { list: `${id}-options` })}
          value={draft}
          onChange={(event) => setDraft(event.target.value)}
          onKeyDown={onKey}
        />
        <Button small disabled={!good} onClick={add}>
          {text.add}
        </Button>
      </span>
      {options !== undefined && (
        <datalist id={`${id}-options`}>
          {options.map((each) => (
            <option key={each} value={each} />
          ))}
        </datalist>
      )}
      {values.length > 0 && (
        <span className="chips">
          {values.map((each) => (
            <button
              key={each}
              type="button"
              className="chip chip-button mono"
              aria-label={text.takeAway(each)}
              onClick={() => onChange(values.filter((other) => other !== each))}
            >
              {each}
              <Icon name="close" />
            </button>
          ))}
        </span>
      )}
      <span className="field-hint">{hint}</span>
    </div>
  )
}

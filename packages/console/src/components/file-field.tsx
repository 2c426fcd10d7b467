import { useId, useRef } from 'react'
import { useText } from '../i18n/language.tsx'
import { Button } from './button.tsx'

interface FileFieldProps {
  readonly label: string
  readonly hint?: string
  readonly accept?: string
  readonly value: string
  readonly onChange: (value: string) => void
}

/** Text that people have in a file: chosen, dropped or pasted. It stays in the page until it is submitted. */
export function FileField({ label, hint, accept, value, onChange }: FileFieldProps) {
  const text = useText()
  const id = useId()
  const input = useRef<HTMLInputElement>(null)
  const take = (files: FileList | null | undefined) => {
    const file = files?.[0]
    if (file !== undefined) void file.text().then(onChange)
  }
  return (
    <div className="field">
      <span className="file-field-head">
        <label className="field-label" htmlFor={id}>
          {label}
        </label>
        <Button small onClick={() => input.current?.click()}>
          {text.common.chooseFile}
        </Button>
      </span>
      <textarea
        id={id}
        className="mono"
        required
        rows={4}
        spellCheck={false}
        autoComplete="off"
        value={value}
        onChange={(event) => onChange(event.target.value)}
        onDragOver={(event) => event.preventDefault()}
        onDrop={(event) => {
          if (event.dataTransfer.files.length === 0) return
          event.preventDefault()
          take(event.dataTransfer.files)
        }}
      />
      <input
        ref={input}
        type="file"
        hidden
        {...(accept === undefined ? {} : { accept })}
        onChange={(event) => {
          take(event.target.files)
          event.target.value = ''
        }}
      />
      {hint !== undefined && <span className="field-hint">{hint}</span>}
    </div>
  )
}

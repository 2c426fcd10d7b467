import { WordField } from '../components/form-dialog.tsx'
import { Field } from '../components/small.tsx'
import { useText } from '../i18n/language.tsx'
import type { ImageForm } from './image-form.ts'

interface ImageFieldsProps {
  readonly form: ImageForm
  /** What holds where nothing is said. */
  readonly otherwise: { readonly takes: number; readonly gives: number; readonly rate: string }
  readonly onChange: (form: ImageForm) => void
}

/** How many images a node takes and gives at once, and how fast. */
export function ImageFields({ form, otherwise, onChange }: ImageFieldsProps) {
  const { groups: text } = useText()
  return (
    <div className="field-row">
      <Field label={text.imageTakes} hint={text.imageTakesHint}>
        <Count value={form.takes} otherwise={otherwise.takes} onChange={(takes) => onChange({ ...form, takes })} />
      </Field>
      <Field label={text.imageGives}>
        <Count value={form.gives} otherwise={otherwise.gives} onChange={(gives) => onChange({ ...form, gives })} />
      </Field>
      <WordField
        label={text.imageRate}
        hint={text.imageRateHint}
        placeholder={otherwise.rate}
        value={form.rate}
        onChange={(rate) => onChange({ ...form, rate })}
      />
    </div>
  )
}

interface CountProps {
  readonly value: string
  readonly otherwise: number
  readonly onChange: (value: string) => void
}

const Count = ({ value, otherwise, onChange }: CountProps) => (
  <input
    type="number"
    min={1}
    max={100}
    placeholder={String(otherwise)}
    value={value}
    onChange={(event) => onChange(event.target.value)}
  />
)

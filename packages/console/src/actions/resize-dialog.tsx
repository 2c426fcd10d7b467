import type { ResizeView, SizesView } from '@berth/api/sizing-resources'
import { BerthError } from '@berth/core/model/berth-error'
import {
  formatBandwidth,
  formatBytes,
  formatCpu,
  parseBandwidth,
  parseBytes,
  parseCpu,
} from '@berth/core/spec/quantities'
import type { Parsed } from '@berth/core/spec/spec-issue'
import { useEffect, useState } from 'react'
import { Button } from '../components/button.tsx'
import { Dialog } from '../components/dialog.tsx'
import { Problem } from '../components/layout.tsx'
import { Check, Field } from '../components/small.tsx'
import { sizeText } from '../format/quantities.ts'
import { useText } from '../i18n/language.tsx'
import { useSubmit } from '../live/use-submit.ts'
import { useClient } from '../store/context.tsx'
import { ResizeEffects } from './resize-effects.tsx'

/** An entrypoint of an environment, or one of its instances. */
export type ResizeTarget =
  | { readonly app: string; readonly pool: string; readonly entrypoint: string }
  | { readonly instance: string; readonly name: string }

interface ResizeDialogProps {
  readonly target: ResizeTarget
  readonly sizes: SizesView
  /** What its berth.yaml says, where that is something else. */
  readonly written?: SizesView | undefined
  /** What is advised: it begins with what that does. */
  readonly proposed?: SizesView | undefined
  readonly onClose: () => void
}

interface Wanted {
  readonly cpuMilli?: number
  readonly memoryBytes?: number
  readonly inBitsPerSecond?: number
  readonly outBitsPerSecond?: number
  readonly asWritten: boolean
}

/** First how much, then what becomes of each instance, then the confirmation. */
export default function ResizeDialog({ target, sizes, written, proposed, onClose }: ResizeDialogProps) {
  const { resize: text, bandwidth, common } = useText()
  const resize = useResize(target)
  const { busy, problem, submit } = useSubmit()
  const [amounts, setAmounts] = useState(() => amountsOf(proposed ?? sizes))
  const [asWritten, setAsWritten] = useState(false)
  const [effect, setEffect] = useState<ResizeView>()
  const name = 'name' in target ? target.name : `${target.app}/${target.pool}/${target.entrypoint}`
  const wanted = (): Wanted => (asWritten ? { asWritten } : { ...changeOf(amounts, sizes), asWritten })
  const look = () => submit({ run: async () => resize({ ...wanted(), dryRun: true }), after: setEffect })
  const apply = () =>
    submit({ run: async () => resize({ ...wanted(), dryRun: false }), done: text.done(name), after: onClose })
  // biome-ignore lint/correctness/useExhaustiveDependencies: once, with what is advised
  useEffect(() => {
    if (proposed !== undefined) look()
  }, [])
  const amount = (key: keyof Amounts, label: string, hint?: string) => (
    <Amount
      label={label}
      hint={hint}
      value={amounts[key]}
      disabled={asWritten}
      onChange={(next) => setAmounts({ ...amounts, [key]: next })}
    />
  )
  const changes = effect?.changes === true && effect.problems.length === 0
  return (
    <Dialog
      wide
      title={text.title(name)}
      step={effect === undefined ? 0 : 1}
      onClose={onClose}
      onSubmit={effect === undefined ? look : apply}
      footer={
        <>
          {effect === undefined ? (
            <Button onClick={onClose}>{common.cancel}</Button>
          ) : (
            <Button onClick={() => setEffect(undefined)}>{text.back}</Button>
          )}
          <Button
            key={effect === undefined ? 'look' : 'apply'}
            kind="primary"
            type="submit"
            disabled={busy || (effect !== undefined && !changes)}
          >
            {effect === undefined ? text.look : text.apply}
          </Button>
        </>
      }
    >
      <Problem text={problem} />
      {effect === undefined ? (
        <>
          <p className="muted">{'name' in target ? text.aloneHint : text.hint}</p>
          <div className="field-row">
            {amount('cpu', text.cpu)}
            {amount('memory', text.memory)}
          </div>
          <div className="field-row">
            {amount('in', bandwidth.in, bandwidth.hint)}
            {amount('out', bandwidth.out)}
          </div>
          {written !== undefined && (
            <Check label={text.asWritten(sizeText(written))} checked={asWritten} onChange={setAsWritten} />
          )}
        </>
      ) : (
        <ResizeEffects effect={effect} />
      )}
    </Dialog>
  )
}

interface AmountProps {
  readonly label: string
  readonly hint: string | undefined
  readonly value: string
  readonly disabled: boolean
  readonly onChange: (value: string) => void
}

const Amount = ({ label, hint, value, disabled, onChange }: AmountProps) => (
  <Field label={label} {...(hint === undefined ? {} : { hint })}>
    <input
      className="mono"
      spellCheck={false}
      autoComplete="off"
      disabled={disabled}
      value={value}
      onChange={(event) => onChange(event.target.value.trim())}
    />
  </Field>
)

function useResize(target: ResizeTarget): (body: Wanted & { readonly dryRun: boolean }) => Promise<ResizeView> {
  const client = useClient()
  return (body) =>
    'name' in target
      ? client.call('resizeInstance', { params: { id: target.instance }, body })
      : client.call('resizeEntrypoint', { params: { ...target }, body })
}

/** As they are typed. */
interface Amounts {
  readonly cpu: string
  readonly memory: string
  readonly in: string
  readonly out: string
}

function amountsOf({ cpuMilli, memoryBytes, inBitsPerSecond, outBitsPerSecond }: SizesView): Amounts {
  const text = (value: number | undefined, format: (value: number) => string) =>
    value === undefined ? '' : format(value)
  return {
    ...{ cpu: text(cpuMilli, formatCpu), memory: text(memoryBytes, formatBytes) },
    ...{ in: text(inBitsPerSecond, formatBandwidth), out: text(outBitsPerSecond, formatBandwidth) },
  }
}

/** Only what differs is said: what is not asked for stays so. */
function changeOf(amounts: Amounts, sizes: SizesView): Omit<Wanted, 'asWritten'> {
  const wanted = {
    cpuMilli: amountOf(amounts.cpu, parseCpu),
    memoryBytes: amountOf(amounts.memory, parseBytes),
    inBitsPerSecond: amountOf(amounts.in, parseBandwidth),
    outBitsPerSecond: amountOf(amounts.out, parseBandwidth),
  }
  const names = Object.keys(wanted) as (keyof typeof wanted)[]
  return Object.fromEntries(
    names.flatMap((name) => (wanted[name] === undefined || wanted[name] === sizes[name] ? [] : [[name, wanted[name]]])),
  )
}

function amountOf(text: string, parse: (text: string) => Parsed<number>): number | undefined {
  if (text === '') return undefined
  const read = parse(text)
  if (read.ok) return read.value
  throw new BerthError('usage.amount', [read.message, read.suggestion].filter(Boolean).join('; '))
}

import type { MatrixPartyView } from '@berth/api/net-resources'
import type { PacketExplanation } from '@berth/api/policy-resources'
import { useEffect, useState } from 'react'
import { Button } from '../components/button.tsx'
import { Dialog } from '../components/dialog.tsx'
import { Problem } from '../components/layout.tsx'
import { Field } from '../components/small.tsx'
import { Mark } from '../components/status.tsx'
import { useText } from '../i18n/language.tsx'
import { useSubmit } from '../live/use-submit.ts'
import { useClient } from '../store/context.tsx'

interface ExplainDialogProps {
  readonly from: MatrixPartyView
  readonly to: MatrixPartyView
  /** Between addresses of IPv6. */
  readonly isIpv6?: boolean
  readonly onClose: () => void
}

const protocols = ['tcp', 'udp', 'icmp'] as const
type Protocol = (typeof protocols)[number]
/** Somebody outside, until another is named. */
const [stranger, stranger6] = ['198.51.100.1', '2001:db8::1']

const startOf = ({ kind, name }: MatrixPartyView, isIpv6: boolean): string =>
  kind === 'outside' ? (isIpv6 ? stranger6 : stranger) : name

/** Which rule decides on both ends, for one port. */
export function ExplainDialog({ from, to, isIpv6 = false, onClose }: ExplainDialogProps) {
  const { network: text, common } = useText()
  const client = useClient()
  const { busy, problem, submit } = useSubmit()
  const [ends, setEnds] = useState({ from: startOf(from, isIpv6), to: startOf(to, isIpv6) })
  const [protocol, setProtocol] = useState<Protocol>('tcp')
  const [port, setPort] = useState('')
  const [found, setFound] = useState<PacketExplanation>()
  const ask = () => {
    setFound(undefined)
    const more = {
      ...(port === '' || protocol === 'icmp' ? {} : { port: Number(port) }),
      ...(isIpv6 ? { family: 6 } : {}),
    }
    const query = { ...ends, protocol, ...more }
    submit({ run: () => client.call('explainPacket', { query }), after: setFound })
  }
  // biome-ignore lint/correctness/useExhaustiveDependencies: once; then by the button
  useEffect(ask, [])
  return (
    <Dialog
      wide
      title={text.explain.title}
      onClose={onClose}
      onSubmit={ask}
      footer={
        <>
          <Button onClick={onClose}>{common.close}</Button>
          <Button kind="primary" type="submit" disabled={busy}>
            {text.explain.ask}
          </Button>
        </>
      }
    >
      <div className="field-row">
        <End label={text.from} value={ends.from} onChange={(next) => setEnds({ ...ends, from: next })} />
        <End label={text.to} value={ends.to} onChange={(next) => setEnds({ ...ends, to: next })} />
      </div>
      <div className="field-row">
        <Field label={text.protocol}>
          <select value={protocol} onChange={(event) => setProtocol(event.target.value as Protocol)}>
            {protocols.map((each) => (
              <option key={each}>{each}</option>
            ))}
          </select>
        </Field>
        <Field label={text.port} hint={text.explain.portHint}>
          <input
            inputMode="numeric"
            pattern="[0-9]*"
            disabled={protocol === 'icmp'}
            value={port}
            onChange={(event) => setPort(event.target.value.replace(/\D/g, ''))}
          />
        </Field>
      </div>
      <Problem text={problem} />
      {found !== undefined && <Explanation found={found} />}
    </Dialog>
  )
}

interface EndProps {
  readonly label: string
  readonly value: string
  readonly onChange: (value: string) => void
}

const End = ({ label, value, onChange }: EndProps) => (
  <Field label={label}>
    <input
      className="mono"
      spellCheck={false}
      value={value}
      onChange={(event) => onChange(event.target.value.trim())}
    />
  </Field>
)

function Explanation({
  found: { allowed, from, to, protocol, port, outbound, inbound },
}: {
  readonly found: PacketExplanation
}) {
  const { network: text } = useText()
  return (
    <div className="explanation" role="status">
      <p className={`status tone-${allowed ? 'ok' : 'bad'}`}>
        <Mark tone={allowed ? 'ok' : 'bad'} />
        <strong>{allowed ? text.explain.passes : text.explain.dropped}</strong>
        <code>{`${protocol}${port === undefined ? '' : `:${port}`}`}</code>
      </p>
      <dl>
        {(
          [
            [text.explain.outbound, from, outbound],
            [text.explain.inbound, to, inbound],
          ] as const
        ).map(([title, end, decision]) => (
          <div key={title}>
            <dt>
              <Mark tone={decision.allowed ? 'ok' : 'bad'} />
              {title} <code>{end.name}</code>
              {end.profiles.length > 0 && <span className="muted"> [{end.profiles.join(', ')}]</span>}
            </dt>
            <dd>{decision.message}</dd>
          </div>
        ))}
      </dl>
    </div>
  )
}

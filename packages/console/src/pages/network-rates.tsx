import type { InstanceView, TrafficCounts } from '@berth/api/instance-resources'
import { formatBandwidth } from '@berth/core/spec/quantities'
import { formatRate } from '../format/quantities.ts'
import { useText } from '../i18n/language.tsx'
import type { Usage } from '../metrics/use-usage.ts'

interface NetworkRatesProps {
  readonly instance: InstanceView
  readonly usage: Usage | undefined
}

/** What its network may carry, what it does, and what was lost of it. */
export function NetworkRates({ instance, usage }: NetworkRatesProps) {
  const { bandwidth: text } = useText()
  const limit = (bits: number | undefined): string => (bits === undefined ? text.noLimit : formatBandwidth(bits))
  const { inBitsPerSecond, outBitsPerSecond, phase } = instance
  const hasLimit = inBitsPerSecond !== undefined || outBitsPerSecond !== undefined
  return (
    <>
      {hasLimit ? text.limits(limit(inBitsPerSecond), limit(outBitsPerSecond)) : text.noLimit}
      {phase === 'running' && usage !== undefined && <Now usage={usage} />}
    </>
  )
}

function Now({ usage }: { readonly usage: Usage }) {
  const { bandwidth: text } = useText()
  const { networkInBytes, networkOutBytes, networkInPackets, networkOutPackets, traffic } = usage
  return (
    <>
      <span className="muted small block">
        {text.now(formatRate(networkInBytes * 8), formatRate(networkOutBytes * 8))}
      </span>
      {networkInPackets !== undefined && networkOutPackets !== undefined && (
        <span className="muted small block">{text.packets(networkInPackets, networkOutPackets)}</span>
      )}
      {traffic !== undefined && <Lost traffic={traffic} />}
    </>
  )
}

/** Only what there is: mostly nothing was lost. */
function Lost({ traffic }: { readonly traffic: Readonly<Record<'in' | 'out', TrafficCounts>> }) {
  const { bandwidth: text } = useText()
  const lost = (['errors', 'drops', 'limitDrops'] as const).filter(
    (count) => traffic.in[count] + traffic.out[count] > 0,
  )
  if (lost.length === 0) return <span className="muted small block">{text.noneLost}</span>
  return (
    <span className="small block warn-text">
      {lost.map((count) => text.lost[count](traffic.in[count], traffic.out[count])).join(' · ')}
    </span>
  )
}

import type { InstanceView } from '@berth/api/instance-resources'
import type { NodeView } from '@berth/api/node-resources'
import { bandwidthIn, bandwidthOut } from '@berth/core/network/uplink'
import { formatBandwidth } from '@berth/core/spec/quantities'
import { Meter } from '../components/status.tsx'
import { useText } from '../i18n/language.tsx'

interface NodeBandwidthProps {
  readonly node: NodeView
  readonly instances: readonly InstanceView[]
}

/** How much of its uplink is guaranteed to instances. */
export function NodeBandwidth({ node, instances }: NodeBandwidthProps) {
  const { bandwidth: text, nodes } = useText()
  const { uplink, resources = {} } = node
  const ways = [
    [text.guaranteedIn, bandwidthIn],
    [text.guaranteedOut, bandwidthOut],
  ] as const
  if (uplink === undefined && resources[bandwidthIn] === undefined && resources[bandwidthOut] === undefined) return null
  const number = (value: number | readonly string[] | undefined): number | undefined =>
    typeof value === 'number' ? value : undefined
  return (
    <dl className="meters meters-more">
      {ways.map(([title, resource]) => {
        const given = instances
          .filter(({ phase }) => phase !== 'ended')
          .reduce((sum, each) => sum + (number(each.resources?.[resource]) ?? 0), 0)
        const all = number(resources[resource]) ?? uplink?.bitsPerSecond
        return (
          <div key={resource}>
            <dt>{title}</dt>
            <dd>
              {all === undefined ? (
                <span className="muted">{`${uplink?.name ?? ''} ${text.unknownSpeed}`}</span>
              ) : (
                <Meter
                  value={given}
                  max={all}
                  label={nodes.given(given === 0 ? '0' : formatBandwidth(given), formatBandwidth(all))}
                />
              )}
            </dd>
          </div>
        )
      })}
    </dl>
  )
}

import type { GroupView } from '@berth/api/scheduling-resources'
import { Meter } from '../components/status.tsx'
import { formatBytes, formatCores } from '../format/quantities.ts'
import { useText } from '../i18n/language.tsx'

/** `1.5` */
const factor = (milli: number): string => String(milli / 1000)

/** How CPU is given out, in a line. */
export function CpuRuleText({ group }: { readonly group: GroupView }) {
  const { groups: text } = useText()
  const { cpu, shareBase, maxSharedCores, oversellMilli } = group
  const parts = [
    cpu === 'bound' && text.pieces(shareBase),
    cpu === 'bound' && maxSharedCores !== undefined && text.atMostShared(maxSharedCores),
    oversellMilli !== 1000 && text.oversold(factor(oversellMilli)),
  ].filter(Boolean)
  return (
    <>
      <span className="chip">{text.rules[cpu]}</span>
      {parts.length > 0 && <span className="muted small">{parts.join(' · ')}</span>}
    </>
  )
}

/** What its nodes have, what of it is given out, and how much may be. */
export function GroupMeters({ group }: { readonly group: GroupView }) {
  const { groups: text, nodes, units } = useText()
  const { cpuMilli, cpuGivenMilli, memoryBytes, memoryGivenBytes, quota } = group
  const cores = (milli: number): string => units.core(milli / 1000, formatCores(milli))
  const rows: readonly (readonly [string, number, number | undefined, string, string])[] = [
    [nodes.cpu, cpuGivenMilli, cpuMilli, formatCores(cpuGivenMilli), cores(cpuMilli)],
    [nodes.memory, memoryGivenBytes, memoryBytes, formatBytes(memoryGivenBytes), formatBytes(memoryBytes)],
    [text.quotaOfCpu, cpuGivenMilli, quota?.cpuMilli, formatCores(cpuGivenMilli), cores(quota?.cpuMilli ?? 0)],
    [
      text.quotaOfMemory,
      memoryGivenBytes,
      quota?.memoryBytes,
      formatBytes(memoryGivenBytes),
      formatBytes(quota?.memoryBytes ?? 0),
    ],
  ]
  return (
    <dl className="meters meters-wide">
      {rows.map(([name, value, max, given, all]) =>
        max === undefined ? null : (
          <div key={name}>
            <dt>{name}</dt>
            <dd>
              <Meter value={value} max={max} label={nodes.given(given, all)} />
            </dd>
          </div>
        ),
      )}
    </dl>
  )
}

/** To whom, and what waits for a person. */
export function GroupOwners({
  group: { allowedOwners, memoryApproval, rebalanceOnJoin },
}: {
  readonly group: GroupView
}) {
  const { groups: text } = useText()
  return (
    <ul className="group-owners">
      <li>
        <span className="muted">{text.mayUse}</span>{' '}
        {allowedOwners === undefined ? (
          text.everybody
        ) : allowedOwners.length === 0 ? (
          text.adminsOnly
        ) : (
          <Names of={allowedOwners} />
        )}
      </li>
      {memoryApproval !== undefined && (
        <li>
          <span className="muted">{text.approves(formatBytes(memoryApproval.aboveBytes))}</span>{' '}
          {memoryApproval.approvers.length === 0 ? text.adminsOnly : <Names of={memoryApproval.approvers} />}
        </li>
      )}
      {rebalanceOnJoin !== undefined && <li className="muted">{text.movesOnJoin(rebalanceOnJoin.disruption)}</li>}
    </ul>
  )
}

const Names = ({ of }: { readonly of: readonly string[] }) => (
  <span className="chips">
    {of.map((name) => (
      <span key={name} className="chip">
        {name}
      </span>
    ))}
  </span>
)

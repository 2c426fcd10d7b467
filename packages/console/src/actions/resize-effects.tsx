import type { InstanceResizeView, ResizeView } from '@berth/api/sizing-resources'
import { formatBandwidth } from '@berth/core/spec/quantities'
import { Banner } from '../components/layout.tsx'
import { NodeLink } from '../components/small.tsx'
import { Mark } from '../components/status.tsx'
import { formatBytes, formatCores } from '../format/quantities.ts'
import { useText } from '../i18n/language.tsx'
import type { Tone } from '../live/states.ts'

const tones: Readonly<Record<InstanceResizeView['how'], Tone>> = {
  'in-place': 'ok',
  replace: 'warn',
  nowhere: 'bad',
  stays: 'off',
  unchanged: 'off',
}

/** What becomes of each instance. */
export function ResizeEffects({ effect }: { readonly effect: ResizeView }) {
  const { resize: text, deploy } = useText()
  const { problems, awaits, changes, instances, before, after } = effect
  return (
    <div className="plan">
      {problems.length > 0 && <Banner tone="bad" title={deploy.problems} lines={problems} />}
      {awaits !== undefined && <Banner tone="warn" title={text.awaits} lines={[awaits]} />}
      {!changes && <p className="muted">{deploy.noChanges}</p>}
      <p>
        <strong>{change(before, after)}</strong>
      </p>
      <ul className="resize-effects">
        {instances.map((each) => (
          <li key={each.instance}>
            <Mark tone={tones[each.how]} />
            <strong>{each.name}</strong>
            <NodeLink node={each.node} />
            <span className="resize-how">
              {text.how[each.how]}
              {each.how === 'in-place' && each.after !== undefined && `: ${change(each.before, each.after)}`}
              {each.how === 'replace' && each.to !== undefined && ` ${text.onto(each.to)}`}
              {each.reason !== undefined && <span className="muted"> · {each.reason}</span>}
            </span>
          </li>
        ))}
      </ul>
    </div>
  )
}

interface Sizes {
  readonly cpuMilli?: number | undefined
  readonly memoryBytes?: number | undefined
  readonly cores?: string | undefined
  readonly inBitsPerSecond?: number | undefined
  readonly outBitsPerSecond?: number | undefined
}

/** `CPU 0.5 → 1.5, 512 MiB → 1 GiB` */
function change(before: Sizes, after: Sizes): string {
  const part = <T,>(from: T | undefined, to: T | undefined, format: (value: T) => string): string[] =>
    from === to ? [] : [`${from === undefined ? '–' : format(from)} → ${to === undefined ? '–' : format(to)}`]
  return [
    ...part(before.cpuMilli, after.cpuMilli, (milli) => `${formatCores(milli)} CPU`),
    ...part(before.memoryBytes, after.memoryBytes, formatBytes),
    ...part(before.cores, after.cores, (cores) => `[${cores}]`),
    ...part(before.inBitsPerSecond, after.inBitsPerSecond, (bits) => `in ${formatBandwidth(bits)}`),
    ...part(before.outBitsPerSecond, after.outBitsPerSecond, (bits) => `out ${formatBandwidth(bits)}`),
  ].join(', ')
}

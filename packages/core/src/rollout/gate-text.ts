import type { GateSpec } from '../model/index.ts'
import { formatDuration, formatShare } from '../spec/quantities.ts'

/** `health for 2m`, as it stands in messages and receipts. */
export function gateText(spec: GateSpec): string {
  switch (spec.type) {
    case 'health':
      return `health for ${formatDuration(spec.forMs)}`
    case 'person':
      return 'a person'
    case 'job':
      return `job ${spec.job}`
    case 'errors':
      return `errors at most ${spec.most === 0 ? '0%' : formatShare(spec.most)} over ${formatDuration(spec.overMs)}`
    case 'latency':
      return `${spec.quantile} at most ${formatDuration(spec.mostMs)} over ${formatDuration(spec.overMs)}`
    case 'lost':
      return `lost at most ${spec.most} over ${formatDuration(spec.overMs)}`
    case 'query':
      return `${spec.query} ${spec.below === undefined ? `above ${spec.above}` : `below ${spec.below}`} over ${formatDuration(spec.overMs)}`
  }
}

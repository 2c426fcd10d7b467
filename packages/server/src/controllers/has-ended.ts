import type { Instance } from '@berth/core'
import type { State } from '../records/index.ts'

export const hasEnded = (state: State, instance: Instance): boolean =>
  state.statuses.field(instance.id, 'phase') === 'ended'

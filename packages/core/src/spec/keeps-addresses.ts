import type { EntrypointSpec, RolloutSpec } from '../model/app-spec.ts'

export const keepsAddresses = (spec: Pick<EntrypointSpec, 'address'> | undefined): boolean => spec?.address === 'keep'

type Limits = Pick<RolloutSpec, 'surge' | 'unavailable'>

/** At an address that is kept an instance ends before its successor begins: there is never one more. */
export const limitsFor = <T extends Limits>(rollout: T, spec: Pick<EntrypointSpec, 'address'> | undefined): T =>
  keepsAddresses(spec) ? { ...rollout, surge: 0 } : rollout

import type { InstanceKeeper } from './instance-keepers.ts'

/**
 * A keeper that hears of instances with an address of their own only: what holds for the address of one in its node's network would hold for the
 * whole node.
 */
export const withOwnAddress = (keeper: InstanceKeeper): InstanceKeeper => ({
  setInstances: (assignments) => keeper.setInstances?.(assignments.filter(({ network }) => network === undefined)),
  ready: async (assignment) => {
    if (assignment.network === undefined) await keeper.ready?.(assignment)
  },
  watch: (instance, target) => keeper.watch?.(instance, target),
  forget: (instance) => keeper.forget?.(instance),
})

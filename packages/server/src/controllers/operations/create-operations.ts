import type { Operations } from '../operations.ts'
import { applyPlan } from './apply-plan.ts'
import { cancelBuild, deploy, startBuild } from './build-operations.ts'
import { capacityOf } from './capacity.ts'
import type { OperationsContext } from './operations-context.ts'
import { planDeploy } from './plan-deploy.ts'
import { createPoolOperations } from './pool-operations.ts'
import { promote } from './promote.ts'
import { planRebalance, startRebalance, stopRebalance } from './rebalance-operations.ts'

export const createOperations = (context: OperationsContext): Operations => ({
  ...createPoolOperations(context),
  deploy: (args, call) => deploy(context, args, call),
  plan: (args, call) => planDeploy(context, args, call),
  applyPlan: (plan, call) => applyPlan(context, plan, call),
  planRebalance: (args) => planRebalance(context, args),
  startRebalance: (args, call) => startRebalance(context, args, call),
  stopRebalance: (group, call) => stopRebalance(context, group, call),
  capacity: (args) => capacityOf(context, args),
  startBuild: (args, call) => startBuild(context, args, call),
  promote: (args, call) => promote(context, args, call),
  cancelBuild: (id, call) => cancelBuild(context, id, call),
})

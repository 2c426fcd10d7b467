import type { Operations } from '../operations.ts'
import { cancelBuild, deploy, startBuild } from './build-operations.ts'
import type { OperationsContext } from './operations-context.ts'
import { planDeploy } from './plan-deploy.ts'
import { createPoolOperations } from './pool-operations.ts'

export const createOperations = (context: OperationsContext): Operations => ({
  ...createPoolOperations(context),
  deploy: (args, call) => deploy(context, args, call),
  plan: (args, call) => planDeploy(context, args, call),
  startBuild: (args, call) => startBuild(context, args, call),
  cancelBuild: (id, call) => cancelBuild(context, id, call),
})

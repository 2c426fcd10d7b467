import type { Logger } from 'pino'
import { advisePools } from '../../advice/advise-pools.ts'
import { gatherUsage } from '../../metrics/gather-usage.ts'
import { defined } from '../../views/view-context.ts'
import type { Handlers } from '../handler.ts'
import type { Services } from '../services.ts'

type SizingHandlers = Pick<Handlers, 'resizeEntrypoint' | 'resizeInstance' | 'getAdvice'>

export const sizingHandlers = ({ operations, views, agents }: Services, log: Logger): SizingHandlers => ({
  resizeEntrypoint: ({ params, body, context }) => operations.resize({ ...params, ...defined(body) }, context),
  resizeInstance: ({ params, body, context }) => operations.resizeInstance({ ...params, ...defined(body) }, context),
  getAdvice: async ({ query, signal }) => {
    const gathered = await gatherUsage(agents, [...views.state.nodes.ids()], signal, log)
    return { items: advisePools(views.state, gathered, query, Date.now()), missing: [...gathered.missing] }
  },
})

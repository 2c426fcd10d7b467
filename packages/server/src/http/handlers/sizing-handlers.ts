import { defined } from '../../views/view-context.ts'
import type { Handlers } from '../handler.ts'
import type { Services } from '../services.ts'

type SizingHandlers = Pick<Handlers, 'resizeEntrypoint' | 'resizeInstance'>

export const sizingHandlers = ({ operations }: Services): SizingHandlers => ({
  resizeEntrypoint: ({ params, body, context }) => operations.resize({ ...params, ...defined(body) }, context),
  resizeInstance: ({ params, body, context }) => operations.resizeInstance({ ...params, ...defined(body) }, context),
})

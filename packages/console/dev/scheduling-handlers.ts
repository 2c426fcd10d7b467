import { coreMapOf } from './core-maps.ts'
import { type JsonHandlers, need } from './handlers.ts'
import type { MockStore } from './mock-store.ts'

/** Cores, groups, plans and capacity. */
export function schedulingHandlers(store: MockStore): JsonHandlers {
  return {
    getCoreMap: ({ params: { name = '' } }) =>
      coreMapOf(store, need(store.get('listNodes', name), `node ${name}`), Date.now()),
  }
}

import type { GroupCaller } from '@berth/core'
import type { State } from '../records/index.ts'

/**
 * Whose will a change is, for the question which groups may be used: of a token its owner, as long as it is not revoked; the local socket
 * and the system itself are admins. What a pipeline does is the will of who has set it.
 */
export function callerOf(state: State, actor: string): GroupCaller {
  const pipeline = /^pipeline:(.+)$/.exec(actor)?.[1]
  if (pipeline !== undefined) return callerOfPipeline(state, pipeline)
  const name = /^token:(.+)$/.exec(actor)?.[1]
  if (name === undefined) return { isAdmin: true }
  const token = state.tokens.get(name)
  return token === undefined ? { isAdmin: false } : { owner: token.owner, isAdmin: token.role === 'admin' }
}

function callerOfPipeline(state: State, app: string): GroupCaller {
  const actor = state.pipelines.get(app)?.updatedBy
  return actor === undefined || actor.startsWith('pipeline:') ? { isAdmin: false } : callerOf(state, actor)
}

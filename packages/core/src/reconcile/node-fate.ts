/** What is known of a node that may be gone. Times in milliseconds since the epoch. */
export interface NodeEvidence {
  readonly online: boolean
  /** When its agent was last heard of; a server that has just started counts from its own start. */
  readonly silentSince: number
  /** When something on the node last answered somebody else: an instance, or the machine itself. */
  readonly aliveAt?: number
}

/**
 * - `here`: its agent answers.
 * - `agent-away`: the agent is silent but the machine answers others, so its containers run on: nothing is moved.
 * - `silent`: nothing is heard of it, for less time than the app wants to wait.
 * - `lost`: nothing was heard of it for that long.
 */
export type NodeFate = 'here' | 'agent-away' | 'silent' | 'lost'

/** A machine that has answered within this time is taken to be there. */
export const aliveForMs = 15_000

/** `afterMs`: the app's own patience; undefined means that its instances are never given up. */
export function nodeFate(
  node: NodeEvidence,
  afterMs: number | undefined,
  now: number,
): { readonly fate: NodeFate; readonly nextAt?: number } {
  if (node.online) return { fate: 'here' }
  if (node.aliveAt !== undefined && now - node.aliveAt < aliveForMs)
    return { fate: 'agent-away', nextAt: node.aliveAt + aliveForMs }
  if (afterMs === undefined) return { fate: 'silent' }
  const lostAt = Math.max(node.silentSince, node.aliveAt ?? 0) + afterMs
  return now >= lostAt ? { fate: 'lost' } : { fate: 'silent', nextAt: lostAt }
}

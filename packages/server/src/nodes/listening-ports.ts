import { eachPort, type InstancePort, type InstancePorts } from '@berth/core'
import type { AgentLinks } from '../agents/agent-links.ts'
import { askNodes } from '../policy/ask-nodes.ts'

const answerMs = 3_000

/**
 * Of these ports those at which programs of the node listen now. None where the node does not answer, or its agent is of a version before: the
 * agent leaves such a port to its program in any case, and says so.
 */
export async function listeningPortsOf(
  agents: Pick<AgentLinks, 'request'>,
  node: string,
  wanted: InstancePorts,
  signal: AbortSignal,
): Promise<readonly number[]> {
  const ports = eachPort(wanted)
  const request = { method: 'POST', path: '/v1/publishing/taken', body: { ports } } as const
  const limit = AbortSignal.any([signal, AbortSignal.timeout(answerMs)])
  try {
    const asked = { agents, nodes: [node], request, signal: limit }
    const { answers } = await askNodes<{ readonly taken: readonly InstancePort[] }>(asked)
    return answers.flatMap(({ answer }) => answer.taken.map(({ hostPort }) => hostPort))
  } catch (error) {
    signal.throwIfAborted()
    if (limit.aborted) return []
    throw error
  }
}

import { BerthError, messageOf } from '@berth/core'
import type { AgentLinks } from '../agents/agent-links.ts'

const answerMs = 10_000

export interface NodeAnswers<T> {
  readonly answers: readonly { readonly node: string; readonly answer: T }[]
  /** Those that did not answer, and why. */
  readonly silent: { readonly node: string; readonly message: string }[]
}

export interface AskOptions {
  readonly agents: Pick<AgentLinks, 'request'>
  readonly nodes: Iterable<string>
  readonly request: { readonly method: 'GET' | 'POST'; readonly path: string; readonly body?: unknown }
  readonly signal: AbortSignal
}

/** Asks all of them at once. That some are away or too old to know is told beside what the others say. */
export async function askNodes<T>({ agents, nodes, request, signal }: AskOptions): Promise<NodeAnswers<T>> {
  const limit = AbortSignal.any([signal, AbortSignal.timeout(answerMs)])
  const answers: { node: string; answer: T }[] = []
  const silent: { node: string; message: string }[] = []
  const ask = async (node: string): Promise<void> => {
    try {
      answers.push({ node, answer: await agents.request<T>(node, { ...request, signal: limit }) })
    } catch (error) {
      signal.throwIfAborted()
      silent.push({ node, message: saidOf(node, error) })
    }
  }
  await Promise.all([...nodes].map(ask))
  return { answers: answers.sort(byNode), silent: silent.sort(byNode) }
}

const byNode = (a: { readonly node: string }, b: { readonly node: string }): number => (a.node < b.node ? -1 : 1)

function saidOf(node: string, error: unknown): string {
  if (error instanceof BerthError && error.code === 'request.not-found')
    return `the agent of ${node} is of a version before: berth node upgrade ${node}`
  return error instanceof BerthError ? error.message : `${node} did not answer in time: ${messageOf(error)}`
}

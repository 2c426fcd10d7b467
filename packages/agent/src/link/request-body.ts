import { BerthError } from '@berth/core'
import type { AgentRequest } from './agent-request.ts'
import type { LinkServices } from './link-services.ts'
import { readHead } from './stream-io.ts'

export type Handler = (services: LinkServices, request: AgentRequest, name: string) => Promise<void>

/** `:` stands for one part of the path, given to the handler. */
export type Route = readonly [method: string, path: string, handler: Handler]

export const maxRequestBytes = 4 * 1024 * 1024

export function parseJson(text: string): object {
  try {
    const value: unknown = JSON.parse(text)
    if (typeof value === 'object' && value !== null) return value
  } catch {
    // Answered below, as any other value that is no object.
  }
  throw invalid('the body is no JSON object')
}

/** A body that is one JSON document. */
export async function readBody({ stream }: AgentRequest): Promise<object> {
  return parseJson((await readHead(stream, maxRequestBytes)).line)
}

export const invalid = (why: string): BerthError => new BerthError('request.invalid-request', why)

import type { AddressReport } from '@berth/core'
import { type AskOptions, askNodes, type NodeAnswers } from '../policy/ask-nodes.ts'

const request = { method: 'GET', path: '/v1/network/addresses' } as const

/** What nodes have of their addresses, by their own word. */
export const askForAddresses = (options: Omit<AskOptions, 'request'>): Promise<NodeAnswers<AddressReport>> =>
  askNodes<AddressReport>({ ...options, request })

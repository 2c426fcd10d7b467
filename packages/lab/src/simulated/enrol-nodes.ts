import type { Client } from '@berth/api'
import type { NodeCredentials } from './agent-dialer.ts'
import { createCertificateRequest } from './certificate-request.ts'

const concurrency = 16

export interface EnrolledNodes {
  readonly nodes: readonly NodeCredentials[]
  readonly agentPort: number
}

export interface NodesToEnrol {
  readonly count: number
  /** `sim-` gives `sim-1`, `sim-2`, … */
  readonly prefix: string
  readonly labels?: (index: number) => Readonly<Record<string, string>>
  readonly signal?: AbortSignal
  readonly onProgress?: (enrolled: number) => void
}

/** Lets so many nodes join, each with a token and a key of its own, as machines do it. */
export async function enrolNodes(client: Client, wanted: NodesToEnrol): Promise<EnrolledNodes> {
  const { count, prefix, labels, signal, onProgress } = wanted
  const options = signal === undefined ? {} : { signal }
  const nodes: NodeCredentials[] = []
  const addresses = freeAddresses((await client.list('listNodes', {}, options)).items.map(({ address }) => address))
  let next = 0
  let agentPort = 0
  const worker = async (): Promise<void> => {
    while (next < count) {
      const index = next++
      const name = `${prefix}${index + 1}`
      const { keyPem, requestPem } = await createCertificateRequest(name)
      const { token } = await client.call('createJoinToken', { body: {} }, options)
      const body = { token, name, address: addresses.next().value, labels: labels?.(index) ?? {} }
      const answer = await client.call('joinNode', { body: { ...body, certificateRequestPem: requestPem } }, options)
      agentPort = answer.agentPort
      const { certificatePem, authorityPem } = answer
      nodes[index] = { name, keyPem, certificatePem, authorityPem }
      onProgress?.(nodes.length)
    }
  }
  await Promise.all(Array.from({ length: concurrency }, worker))
  return { nodes, agentPort }
}

/** Of the range for benchmarks (RFC 2544): nobody is there. No two nodes are reached at one. */
function* freeAddresses(taken: readonly string[]): Generator<string, never> {
  const given = new Set(taken)
  for (let index = 0; ; index += 1) {
    const address = `198.${18 + (index >> 16)}.${(index >> 8) & 255}.${index & 255}`
    if (!given.has(address)) yield address
  }
}

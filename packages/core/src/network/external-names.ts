import type { NamedExternal } from '../model/assignment.ts'
import type { NameAnswer, NameQuestionType, ServiceTarget } from './name-answer.ts'

/** What an external service's name means; `labels` may begin with the port and protocol of a service. */
export function answerExternal(
  external: NamedExternal,
  labels: readonly string[],
  type: NameQuestionType,
  domain: string,
): NameAnswer {
  const [port = '', protocol = ''] = labels
  if (protocol.startsWith('_')) return answerPort(external, port.slice(1), protocol.slice(1), type, domain)
  if (port.startsWith('_')) return { kind: 'empty' }
  if (external.target !== undefined) return { kind: 'alias', target: external.target }
  return type === 'A' ? { kind: 'addresses', addresses: external.addresses } : { kind: 'empty' }
}

function answerPort(
  { name, addresses, target, ports }: NamedExternal,
  portName: string,
  protocol: string,
  type: NameQuestionType,
  domain: string,
): NameAnswer {
  const port = ports.find((each) => each.name === portName && each.protocol === protocol)
  if (port === undefined) return { kind: 'unknown' }
  const service: ServiceTarget = { name: target ?? `${name}.${domain}`, addresses, port: port.port }
  return type === 'SRV' ? { kind: 'services', services: [service] } : { kind: 'empty' }
}

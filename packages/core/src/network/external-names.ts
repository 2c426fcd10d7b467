import type { NamedExternal, WithAddresses6 } from '../model/assignment.ts'
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
  return answerAddresses(external, type)
}

function answerPort(
  { name, addresses, addresses6 = [], target, ports }: NamedExternal,
  portName: string,
  protocol: string,
  type: NameQuestionType,
  domain: string,
): NameAnswer {
  const port = ports.find((each) => each.name === portName && each.protocol === protocol)
  if (port === undefined) return { kind: 'unknown' }
  const all = [...addresses, ...addresses6]
  const service: ServiceTarget = { name: target ?? `${name}.${domain}`, addresses: all, port: port.port }
  return type === 'SRV' ? { kind: 'services', services: [service] } : { kind: 'empty' }
}

/** Of the version that was asked for. */
export function answerAddresses(
  { addresses = [], addresses6 = [] }: WithAddresses6 & { readonly addresses?: readonly string[] },
  type: NameQuestionType,
): NameAnswer {
  const found = type === 'A' ? addresses : type === 'AAAA' ? addresses6 : []
  return found.length === 0 ? { kind: 'empty' } : { kind: 'addresses', addresses: found }
}

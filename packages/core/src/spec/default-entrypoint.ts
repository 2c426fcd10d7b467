import type { EntrypointSpec } from '../model/app-spec.ts'
import type { PortProtocol } from '../network/published-port.ts'

type Entrypoints = Readonly<Record<string, Pick<EntrypointSpec, 'type' | 'ports'>>>

/**
 * The entrypoint that is meant where none is named: the first service in the file that has a tcp port (a route of UDP means the first with a
 * port of that). Routes lead there, and the app's own name (`shop.berth`) does.
 */
export function defaultEntrypoint(entrypoints: Entrypoints, protocol: PortProtocol = 'tcp'): string | undefined {
  return Object.keys(entrypoints).find((name) => {
    const { type, ports } = entrypoints[name]!
    return type === 'service' && ports.some((port) => port.protocol === protocol)
  })
}

/**
 * Services, what the app's own name means first: the default entrypoint, or the first service of an app that has none (of one that
 * answers by udp only, say); then the others in the file's order.
 */
export function namedServices(entrypoints: Entrypoints): string[] {
  const services = Object.keys(entrypoints).filter((name) => entrypoints[name]!.type === 'service')
  const first = defaultEntrypoint(entrypoints)
  return first === undefined ? services : [first, ...services.filter((name) => name !== first)]
}

import type { InstancePort } from '../model/instance.ts'
import { type Parsed, parsed, refused } from '../spec/spec-issue.ts'

export const publishingTable = 'berth_publish'

/** A port of the node that leads to an instance's. */
export interface PublishedTarget extends InstancePort {
  readonly address: string
}

export const portText = ({ hostPort, protocol }: Pick<InstancePort, 'hostPort' | 'protocol'>): string =>
  `${hostPort}/${protocol}`

const ownText = /^(?<hostPort>[0-9]{1,5})(?::(?<port>[0-9]{1,5}))?(?:\/(?<protocol>tcp|udp))?$/

/** `8080:80`, `8080` (for both), `5353:53/udp`. */
export function parsePublished(text: string): Parsed<InstancePort> {
  const found = ownText.exec(text)?.groups
  if (found === undefined)
    return refused(
      `${JSON.stringify(text.slice(0, 80))} is no port to publish`,
      'write NODE-PORT:PORT, such as 8080:80',
    )
  const hostPort = Number(found.hostPort)
  const port = Number(found.port ?? found.hostPort)
  const wrong = [hostPort, port].find((each) => each < 1 || each > 65_535)
  if (wrong !== undefined) return refused(`port ${wrong} is out of range (1 to 65535)`)
  return parsed({ hostPort, port, protocol: found.protocol === 'udp' ? 'udp' : 'tcp' })
}

/** Neither names (169.254.77.53) nor what a node keeps to itself. */
const elsewhere = 'fib daddr type local ip daddr != { 127.0.0.0/8, 169.254.0.0/16 }'

/**
 * A file for `nft -f`: in one transaction all that is published, or nothing where there is nothing. What comes to an address of the node is sent on to the
 * instance with its sender's address; only a sender with an address of the node's (`own`: blocks) is given the node's, or the answer would not pass the node.
 * Equal input gives equal text.
 */
export function renderPublishing(targets: readonly PublishedTarget[], own: readonly string[]): string {
  const remove = `table inet ${publishingTable}\ndelete table inet ${publishingTable}\n`
  if (targets.length === 0) return remove
  const sorted = [...targets].sort((a, b) => a.hostPort - b.hostPort || (a.protocol < b.protocol ? -1 : 1))
  const rules = sorted.map(
    ({ hostPort, protocol, address, port }) =>
      `    ${elsewhere} ${protocol} dport ${hostPort} dnat ip to ${address}:${port}`,
  )
  const addresses = [...new Set(sorted.map(({ address }) => address))].join(', ')
  const chain = (name: string, hook: string, priority: number, lines: readonly string[]): string[] => [
    `  chain ${name} {`,
    `    type nat hook ${hook} priority ${priority}; policy accept;`,
    ...lines,
    '  }',
  ]
  return `${[
    `${remove}table inet ${publishingTable} {`,
    // Before Docker's own, as both are asked and the first counts.
    ...chain('prerouting', 'prerouting', -105, rules),
    ...chain('output', 'output', -105, rules),
    ...chain('postrouting', 'postrouting', 95, [
      `    ct status dnat ip saddr { ${own.join(', ')} } ip daddr { ${addresses} } masquerade`,
    ]),
    '}',
  ].join('\n')}\n`
}

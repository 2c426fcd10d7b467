import type { PacketExplanation } from '@berth/api'
import { BerthError } from '@berth/core'
import type { Command } from 'commander'
import { Exit, exitCode } from '../exit-code.ts'
import { printItem } from '../output/print.ts'
import type { Style } from '../output/style.ts'
import { action } from './command.ts'

interface ExplainOptions {
  readonly protocol?: string
  readonly ipv6?: boolean
}

export function registerExplain(net: Command): void {
  net
    .command('explain')
    .arguments('<from> <to> [more]')
    .summary('whether one may talk to the other, and which rule decides it on both ends')
    .description(
      'Both are an instance, APP/ENTRYPOINT, APP/POOL/ENTRYPOINT or an address; the second one with :PORT, by default the first port that it declares. `berth net explain shop/web shop/db:3306`; an arrow between them is read over.',
    )
    .option('--protocol <protocol>', 'tcp, udp or icmp', 'tcp')
    .option('--ipv6', 'between their addresses of IPv6')
    .action(
      action<ExplainOptions>(async ({ client, out, form, signal }, words, { protocol = 'tcp', ipv6 = false }) => {
        const query = { ...endsOf(words), protocol: protocolOf(protocol), ...(ipv6 ? { family: 6 } : {}) }
        const found = await client.call('explainPacket', { query }, { signal })
        await printItem(found, form, out, (each) => explanationText(each, out.style))
        if (!found.allowed) throw new Exit(exitCode.failed)
      }),
    )
}

export function endsOf(words: readonly string[]): {
  readonly from: string
  readonly to: string
  readonly port?: number
} {
  const [from, to, ...rest] = words.filter((word) => word !== '→' && word !== '->')
  if (from === undefined || to === undefined || rest.length > 0)
    throw new BerthError('usage.explain', 'name who sends and who is sent to: berth net explain shop/web shop/db:3306')
  const [, six, sixPort] = /^\[(.*)\](?::([0-9]+))?$/.exec(to) ?? []
  // Two colons and no brackets: all of it is an address of IPv6.
  const [, four = to, fourPort] = /^([^:]*):([0-9]+)$/.exec(to) ?? []
  const { name, port } = six === undefined ? { name: four, port: fourPort } : { name: six, port: sixPort }
  if (port !== undefined && (Number(port) < 1 || Number(port) > 65_535))
    throw new BerthError('usage.explain', `${to}: there is no port ${port}: they go from 1 to 65535`)
  return { from, to: name, ...(port === undefined ? {} : { port: Number(port) }) }
}

function protocolOf(text: string): 'tcp' | 'udp' | 'icmp' {
  if (text === 'tcp' || text === 'udp' || text === 'icmp') return text
  throw new BerthError('usage.explain', `--protocol ${text}: write tcp, udp or icmp`)
}

export function explanationText(found: PacketExplanation, style: Style): string {
  const { allowed, from, to, protocol, port, outbound, inbound } = found
  const end = ({ name, address, node, profiles }: PacketExplanation['from']): string =>
    `${name}${name === address ? '' : ` (${address}${node === undefined ? '' : `, ${node}`})`}${profiles.length === 0 ? '' : ` [${profiles.join(', ')}]`}`
  const line = (word: string, { allowed: agrees, message }: PacketExplanation['inbound']): string =>
    `  ${agrees ? style.green('passes') : style.red('drops ')}  ${word}  ${message}`
  return [
    `${allowed ? style.green('allowed') : style.red('dropped')}: ${protocol}${port === undefined ? '' : `:${port}`} from ${end(from)} to ${end(to)}`,
    line('outbound', outbound),
    line('inbound ', inbound),
  ].join('\n')
}

import { BerthError } from '@berth/core'
import type { Command } from 'commander'
import { followLogs } from '../follow-logs.ts'
import type { Style } from '../output/style.ts'
import { findInstance, type PoolOption, parseTarget } from '../target.ts'
import { action } from './command.ts'
import { wholeNumber } from './words.ts'

interface LogsOptions extends PoolOption {
  readonly follow?: boolean
  readonly tail: string
  readonly since?: string
  readonly grep?: string
  readonly timestamps?: boolean
  readonly prefix: boolean
}

export function registerLogs(program: Command): void {
  program
    .command('logs')
    .summary('logs of an app, an entrypoint or an instance')
    .description(
      'Shows what instances write to their output, merged by time.\nExamples: berth logs -f shop · berth logs -n all shop/web · berth logs --since 10m web-4',
    )
    .argument('[target]', 'APP, APP/ENTRYPOINT or an instance (web-4)')
    .option('-e, --environment <name>')
    .option('-f, --follow', 'go on as lines come, from new instances too')
    .option('-n, --tail <lines>', 'the last so many of each instance, or all', lineCount, '100')
    .option('--since <duration>', 'not older than this: 10m, 2h')
    .option('--grep <text>', 'only lines that contain this')
    .option('-t, --timestamps', 'with the time of each line')
    .option('--no-prefix', 'without the instance in front')
    .action(
      action<LogsOptions>(async (context, [text], options) => {
        const { client, out, form, signal } = context
        const named = text !== undefined && /-\d+$/.test(text) ? await findInstance(context, text, options) : undefined
        const target = named === undefined ? parseTarget(text, context, options) : undefined
        const query = {
          ...(target === undefined
            ? { instance: named?.id }
            : { app: target.app, pool: target.pool, entrypoint: target.entrypoint }),
          ...(options.tail === 'all' ? {} : { tail: options.tail }),
          ...(options.since === undefined ? {} : { sinceMs: String(Date.now() - parseDuration(options.since)) }),
          grep: options.grep,
        }
        const color = prefixColors(out.style)
        try {
          const lines =
            options.follow === true
              ? followLogs(context, query, signal)
              : client.lines('getLogs', { query }, { signal })
          for await (const line of lines) {
            if (form === 'json') out.line(JSON.stringify(line))
            else {
              const time = options.timestamps === true ? `${new Date(line.at).toISOString()} ` : ''
              const name = line.instance?.split('.').at(-1) ?? ''
              const prefix = options.prefix && named === undefined && name !== '' ? `${color(name)} ` : ''
              out.line(`${prefix}${time}${line.line}`)
            }
          }
        } catch (error) {
          if (!signal.aborted) throw error
        }
      }),
    )
}

const lineCount = (text: string): string => (text === 'all' ? text : wholeNumber(text))

export function parseDuration(text: string): number {
  const match = /^(\d+)(ms|s|m|h|d)$/.exec(text)
  const units: Record<string, number> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 }
  const unit = units[match?.[2] ?? '']
  if (match === null || unit === undefined)
    throw new BerthError('usage.duration', `${text} is no duration; write 30s, 10m, 2h or 1d`)
  return Number(match[1]) * unit
}

function prefixColors(style: Style): (name: string) => string {
  const paints = [style.blue, style.green, style.yellow, style.bold, style.red]
  return (name) => (paints[Number(/\d+$/.exec(name)?.[0] ?? 0) % paints.length] ?? style.bold)(name.padEnd(12))
}

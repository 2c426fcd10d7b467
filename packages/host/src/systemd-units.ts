import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { SupervisedProcess } from './supervisor.ts'

/** Every unit that Berth may have on a machine, in the order in which they are ended. */
const roles = ['agent', 'server', 'netd'] as const
const unitOf = (role: string): string => `berth-${role}.service`

export interface SystemdOptions {
  /** `/etc/systemd/system` */
  readonly unitDir: string
  /** Runs `systemctl` with these arguments; throws when it fails. */
  readonly systemctl: (args: readonly string[]) => void
}

/** The same processes as {@link SupervisedProcess}, as units by file name. */
export function systemdUnits(processes: readonly SupervisedProcess[]): Map<string, string> {
  return new Map(processes.map((each) => [unitOf(each.name), unitText(each)]))
}

/**
 * Writes, enables and starts the units, and removes those of ours that are not among them. Running processes are started anew only when
 * their unit has changed, or `restart` says that what they read at their start has. Returns the names of those (re)started.
 */
export function installUnits(units: ReadonlyMap<string, string>, restart: boolean, options: SystemdOptions): string[] {
  const { unitDir, systemctl } = options
  removeUnits(options, (name) => !units.has(name))
  mkdirSync(unitDir, { recursive: true })
  const changed = [...units].filter(([name, text]) => restart || textOf(join(unitDir, name)) !== text)
  for (const [name, text] of units) writeFileSync(join(unitDir, name), text)
  systemctl(['daemon-reload'])
  systemctl(['enable', '--quiet', ...units.keys()])
  const names = changed.map(([name]) => name)
  if (names.length > 0) systemctl(['restart', ...names])
  // Starts what has ended meanwhile, and touches nothing that runs.
  systemctl(['start', ...units.keys()])
  return names
}

/** Ends our units and takes them off the machine. */
export function removeUnits({ unitDir, systemctl }: SystemdOptions, which = (_name: string): boolean => true): void {
  const names = roles.map(unitOf).filter((name) => which(name) && existsSync(join(unitDir, name)))
  if (names.length === 0) return
  systemctl(['disable', '--now', '--quiet', ...names])
  for (const name of names) rmSync(join(unitDir, name))
  systemctl(['daemon-reload'])
}

function textOf(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    return undefined
  }
}

const order: Readonly<Record<string, string>> = {
  netd: 'Before=docker.service',
  server: 'After=network-online.target\nWants=network-online.target',
  agent: 'After=docker.service berth-netd.service network-online.target\nWants=docker.service network-online.target',
}

/**
 * `KillMode=process`: nginx and other things that the agent has started must outlive it. Without a start limit: by default systemd gives
 * a unit up for good after five quick ends, such as those of a full disk that somebody is just clearing.
 */
function unitText({ name, argv, stopGraceMs }: SupervisedProcess): string {
  const [program = '', ...args] = argv
  const lines = [
    '[Unit]',
    `Description=Berth ${name}`,
    ...(order[name] === undefined ? [] : [order[name]]),
    'StartLimitIntervalSec=0',
    '',
    '[Service]',
    `ExecStart=${[quoteProgram(program), ...args.map(quoteArgument)].join(' ')}`,
    'Restart=always',
    'RestartSec=1',
    'KillMode=process',
    `TimeoutStopSec=${Math.ceil((stopGraceMs ?? 10_000) / 1000) + 5}`,
    'LimitNOFILE=1048576',
    'OOMScoreAdjust=-500',
    '',
    '[Install]',
    'WantedBy=multi-user.target',
  ]
  return `${lines.join('\n')}\n`
}

/** systemd.syntax(7), systemd.service(5): in double quotes, `%` begins a specifier everywhere, `$` a variable in arguments only. */
const quoteProgram = (word: string): string =>
  `"${word.replaceAll('\\', '\\\\').replaceAll('"', '\\"').replaceAll('%', '%%')}"`
const quoteArgument = (word: string): string => quoteProgram(word).replaceAll('$', () => '$$')

import { spawn } from 'node:child_process'
import { parseArgs } from 'node:util'
import { BerthError, messageOf } from '@berth/core'
import { createLab, openLab } from './create-lab.ts'
import { type FaultOptions, faultCommands, faultOptions, faultUsage, relayCommand } from './fault-commands.ts'
import type { Lab, LabLog } from './lab.ts'
import { listManifests, type Manifest } from './manifest.ts'
import { isAlive } from './process-table.ts'
import { saveLogs } from './save-logs.ts'
import { simulate, simulateUsage } from './simulated/simulate-command.ts'
import { cleanLabs } from './teardown.ts'
import { trixieDocker } from './trixie-docker.ts'

const USAGE = `Many hosts on one machine: network namespaces, each with its own dockerd. Needs root.

  up [--hosts N] [--images] [--docker trixie]   make a lab that stays, print how to reach it
  ls                                            the labs of this machine
  exec [--lab N] HOST -- COMMAND...             run a command inside a host
  reboot | dockerd-kill | dockerd-start | cut | mend   [--lab N] HOST
${faultUsage}  logs DIRECTORY [--lab N]                      copy what all hosts logged
  down [--lab N | --all]                        remove it
  clean                                         remove labs whose owner died
${simulateUsage}
  --hosts N    how many hosts (default 1)      --images   load berth/base:local and berth/node:local into each
  --own-clock  hosts whose programs have a clock of their own (libfaketime)
  --lab N      which lab; not needed while there is only one
`

interface Options extends FaultOptions {
  readonly hosts: string
  readonly lab?: string | undefined
  readonly images: boolean
  readonly docker?: string | undefined
  readonly all: boolean
  readonly 'own-clock': boolean
}

type Command = (options: Options, rest: readonly string[]) => Promise<number>

const log: LabLog = {
  debug: () => {},
  info: () => {},
  warn: (_fields, message) => console.error(message),
}

const onHost =
  (act: (host: ReturnType<Lab['host']>) => Promise<void>): Command =>
  async (options, [name]) => {
    await act(pick(options.lab).host(required(name, 'HOST')))
    return 0
  }

const hostFaults = Object.entries(faultCommands).map(([name, act]): [string, Command] => [
  name,
  async (options, [host, ...rest]) => {
    await act(pick(options.lab).host(required(host, 'HOST')), rest, options)
    return 0
  },
])

const commands: Readonly<Record<string, Command>> = {
  up,
  ls: async () => {
    for (const manifest of listManifests()) console.log(describe(manifest))
    return 0
  },
  exec: async (options, [name, ...argv]) => interactive(pick(options.lab).host(required(name, 'HOST')).enterArgv(argv)),
  reboot: onHost((host) => host.reboot()),
  'dockerd-kill': onHost((host) => host.killDockerd('SIGKILL')),
  'dockerd-start': onHost((host) => host.startDockerd()),
  cut: onHost((host) => host.setLink('down')),
  mend: onHost((host) => host.setLink('up')),
  ...Object.fromEntries(hostFaults),
  logs: async (options, [directory]) => {
    console.log(await saveLogs(pick(options.lab), required(directory, 'DIRECTORY')))
    return 0
  },
  down: async (options) => {
    const labs = options.all
      ? listManifests()
          .filter(isKept)
          .map((manifest) => openLab(manifest, log))
      : [pick(options.lab)]
    for (const lab of labs) await lab[Symbol.asyncDispose]()
    console.log(`removed: ${labs.map((lab) => lab.index).join(', ') || 'none'}`)
    return 0
  },
  clean: async () => {
    const removed = await cleanLabs(log)
    console.log(`removed: ${removed.join(', ') || 'none'}`)
    return 0
  },
}

async function up(options: Options): Promise<number> {
  const hosts = Number(options.hosts)
  if (!Number.isInteger(hosts) || hosts < 1)
    throw new BerthError('lab.usage', `--hosts ${options.hosts}: give a count from 1 on`)
  const engine = options.docker === 'trixie' ? await trixieDocker({ log }) : {}
  const host = { ...engine, ownClock: options['own-clock'], baseImages: options.images }
  const lab = await createLab({ hosts: Array.from({ length: hosts }, () => host), keep: true, log })
  console.log(`lab ${lab.index}: this machine is ${lab.serverAddress}, containers may use ${lab.containerPool}`)
  for (const host of lab.hosts) console.log(`  ${host.name}  ${host.address}  DOCKER_HOST=${host.dockerHost}`)
  console.log(`try: lab exec --lab ${lab.index} ${lab.hosts[0]?.name} -- sh     end: lab down --lab ${lab.index}`)
  return 0
}

const isKept = (manifest: Manifest): boolean => manifest.owner === null

const describe = (manifest: Manifest): string => {
  const owner =
    manifest.owner === null
      ? 'kept'
      : `${isAlive(manifest.owner) ? 'owned by' : 'left by dead'} process ${manifest.owner.pid}`
  const hosts = manifest.hosts.map((host) => `${host.name}=${host.address}`).join(' ')
  return `${manifest.index}  ${owner}  since ${manifest.createdAt}  ${hosts}`
}

const pick = (wanted: string | undefined): Lab => {
  const all = listManifests()
  const found = wanted === undefined ? all : all.filter(({ index }) => index === Number(wanted))
  const [only] = found
  if (only !== undefined && found.length === 1) return openLab(only, log)
  const known = all.map(({ index }) => index).join(', ') || 'none'
  throw new BerthError(
    'lab.unknown',
    `${wanted === undefined ? 'name a lab by --lab N' : `lab ${wanted} is not there`}; there are: ${known}`,
  )
}

const required = (value: string | undefined, what: string): string => {
  if (value !== undefined) return value
  throw new BerthError('lab.usage', `${what} is missing\n${USAGE}`)
}

/** With this terminal as the command's own. */
const interactive = ([file = '', ...args]: string[]): Promise<number> =>
  new Promise((resolve, reject) => {
    const child = spawn(file, args, { stdio: 'inherit' })
    child.once('error', reject)
    child.once('exit', (code) => resolve(code ?? 1))
  })

async function main(argv: string[]): Promise<number> {
  if (argv[0] === 'simulate') return await simulate(argv.slice(1))
  if (argv[0] === 'relay') return await relayCommand(argv.slice(1))
  const { values, positionals } = parseArgs({
    args: argv,
    allowPositionals: true,
    options: {
      hosts: { type: 'string', default: '1' },
      lab: { type: 'string' },
      docker: { type: 'string' },
      images: { type: 'boolean', default: false },
      all: { type: 'boolean', default: false },
      'own-clock': { type: 'boolean', default: false },
      ...faultOptions,
      help: { type: 'boolean', short: 'h', default: false },
    },
  })
  const [name, ...rest] = positionals
  const command = name === undefined ? undefined : commands[name]
  if (command === undefined) {
    console.log(USAGE)
    return values.help ? 0 : 2
  }
  return command(values, rest)
}

try {
  process.exitCode = await main(process.argv.slice(2))
} catch (error) {
  console.error(messageOf(error))
  process.exitCode = 1
}

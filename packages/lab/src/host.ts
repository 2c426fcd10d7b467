import { existsSync } from 'node:fs'
import { mkdir, readdir, rm } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { BerthError } from '@berth/core'
import type { LabNames } from './addresses.ts'
import { hasBaseImages, makeBaseImages } from './base-image.ts'
import { CgroupTree } from './cgroup-tree.ts'
import { runCommand } from './command.ts'
import { Dockerd } from './dockerd.ts'
import { clockEnvironment, writeClock } from './host-clock.ts'
import type { HostPart } from './host-part.ts'
import { restartPart, signalPart } from './host-parts.ts'
import { enterArgv, startInside } from './host-process.ts'
import type { ImageStock } from './image-stock.ts'
import type { Cancellable, ExecOptions, ExecResult, LabHost, LabLog, SpawnedProcess, SpawnOptions } from './lab.ts'
import type { LabSshd, SshdOptions } from './lab-sshd.ts'
import { type LabSwitch, netnsOf } from './lab-switch.ts'
import type { LinkFaults } from './link-faults.ts'
import type { HostRecord } from './manifest.ts'
import { startFirstProcess } from './namespace-process.ts'
import { childrenOf, identify, isAlive, namespacedPids, type ProcessIdentity, sendSignal } from './process-table.ts'
import { startSshd } from './sshd.ts'
import { waitFor } from './wait-for.ts'

const INIT_SCRIPT = join(import.meta.dirname, 'host-init.sh')
const NEW_NAMESPACES = ['--pid', '--fork', '--net', '--mount', '--uts', '--cgroup', '--propagation', 'private']
/** The host's disk: what `host-init.sh` binds, and the overlays of /etc and /usr/local. */
const DISK = ['etc', 'etc.work', 'usr-local', 'usr-local.work', 'stage', 'run', 'docker', 'containerd', 'berth', 'log']
/** sun_path of unix(7), less its closing zero byte. */
const MAX_SOCKET_PATH_BYTES = 107

export interface HostSetting {
  readonly names: LabNames
  readonly labDir: string
  readonly network: LabSwitch
  readonly log: LabLog
  /** Called whenever the host's first process changed; null while it is off. */
  readonly onInit: (init: ProcessIdentity | null) => void
}

export class Host implements LabHost {
  readonly name: string
  readonly address: string
  readonly dir: string
  readonly dockerHost: string
  readonly #setting: HostSetting
  readonly #cgroup: CgroupTree
  readonly #dockerd: Dockerd
  readonly #usrLayer: string | null
  readonly #ownClock: boolean
  #init: ProcessIdentity | null
  /** Until its Docker has the base images. */
  #lacking: ImageStock | undefined

  constructor(setting: HostSetting, record: HostRecord) {
    this.#setting = setting
    this.name = record.name
    this.address = record.address
    this.dir = join(setting.labDir, record.name)
    this.dockerHost = `unix://${this.dir}/run/docker.sock`
    this.#cgroup = new CgroupTree(`${setting.names.cgroup}/${record.name}`)
    this.#dockerd = new Dockerd(this, record.dockerdPath)
    this.#usrLayer = record.usrLayer
    this.#ownClock = record.ownClock === true
    this.#init = record.init
    checkSocketPath(`${this.dir}/run/docker.sock`)
  }

  get initPid(): number {
    if (this.#init !== null && isAlive(this.#init)) return this.#init.pid
    throw new BerthError(
      'lab.host-off',
      `host ${this.name} of lab ${this.#setting.names.index} is off; boot() it first`,
    )
  }

  get netnsPath(): string {
    return netnsOf(this.initPid)
  }

  async boot({ signal, startDockerd = true }: Cancellable & { readonly startDockerd?: boolean } = {}): Promise<void> {
    await Promise.all(DISK.map((name) => mkdir(join(this.dir, name), { recursive: true })))
    this.#cgroup.create()
    await this.#startInit(signal)
    await this.#setting.network.plugIn(this.name, this.initPid, this.address)
    if (startDockerd) await this.startDockerd({ ...(signal && { signal }) })
    this.#setting.log.info({ host: this.name, address: this.address, initPid: this.initPid }, 'host booted')
  }

  async #startInit(signal?: AbortSignal): Promise<void> {
    const { names, labDir, onInit } = this.#setting
    const ready = join(this.dir, 'run', 'ready')
    await rm(ready, { force: true })
    const mounts = this.#cgroup.hierarchies.flatMap(({ mountPoint, type, mountOptions }) => [
      mountPoint,
      type,
      mountOptions,
    ])
    const parent = await startFirstProcess({
      cgroup: this.#cgroup,
      unshare: NEW_NAMESPACES,
      argv: [
        '/bin/sh',
        INIT_SCRIPT,
        this.dir,
        labDir,
        this.name,
        this.address,
        names.routerAddress,
        this.#usrLayer ?? '',
        ...mounts,
      ],
      logFile: join(this.dir, 'log', 'boot.log'),
      isReady: () => existsSync(ready),
      what: `host ${this.name} of lab ${names.index}`,
      signal,
    })
    const pid = childrenOf(parent)[0]
    this.#init = pid === undefined ? null : (identify(pid) ?? null)
    onInit(this.#init)
    for (const member of [parent, this.initPid]) this.#cgroup.adopt(member)
  }

  async powerOff({ signal }: Cancellable = {}): Promise<void> {
    if (this.#init !== null && isAlive(this.#init)) sendSignal(this.#init.pid, 'SIGKILL')
    await this.#cgroup.killAll(signal)
    await this.#cgroup.remove(signal)
    this.#init = null
    this.#setting.onInit(null)
    const run = join(this.dir, 'run')
    const left = await readdir(run)
    await Promise.all(left.map((name) => rm(join(run, name), { recursive: true, force: true })))
    this.#setting.log.info({ host: this.name }, 'host is off')
  }

  async reboot(options: Cancellable & { readonly startDockerd?: boolean } = {}): Promise<void> {
    await this.powerOff(options)
    await this.boot(options)
  }

  enterArgv(argv: readonly string[], options: { readonly cwd?: string } = {}): string[] {
    const environment = Object.entries(this.#environment()).map(([name, value]) => `${name}=${value}`)
    const words = environment.length === 0 ? argv : ['env', ...environment, ...argv]
    return enterArgv(this.initPid, this.#cgroup, words, options)
  }

  async exec(argv: readonly string[], { cwd, ...options }: ExecOptions = {}): Promise<ExecResult> {
    const env = { ...this.#environment(), ...options.env }
    return runCommand(enterArgv(this.initPid, this.#cgroup, argv, { cwd }), { ...options, env })
  }

  async spawn(argv: readonly string[], { cwd, env, logFile }: SpawnOptions = {}): Promise<SpawnedProcess> {
    const [command = ''] = argv
    return startInside({
      enter: enterArgv(this.initPid, this.#cgroup, argv, { cwd }),
      env: { ...this.#environment(), ...env },
      logFile: logFile ?? join(this.dir, 'log', `${basename(command)}.log`),
    })
  }

  #environment(): Record<string, string> {
    return this.#ownClock ? clockEnvironment() : {}
  }

  async outerPid(pidInHost: number): Promise<number | undefined> {
    // [ours, the host's, a container's ...]
    return this.#cgroup.members().find((pid) => namespacedPids(pid)[1] === pidInHost)
  }

  /** Before its Docker has ever started: it has the base images from the beginning. */
  async stockImages(stock: ImageStock): Promise<void> {
    this.#lacking = stock
    await mkdir(join(this.dir, 'docker'), { recursive: true })
    await stock.layInto(join(this.dir, 'docker'))
  }

  async startDockerd(options: Cancellable = {}): Promise<void> {
    await this.#dockerd.start(options)
    const stock = this.#lacking
    this.#lacking = undefined
    if (stock === undefined || (await hasBaseImages(this.dockerHost, options.signal))) return
    await makeBaseImages(this.dockerHost, options)
    await stock.keep(join(this.dir, 'docker'))
  }

  killDockerd(how: NodeJS.Signals = 'SIGKILL', options?: Cancellable): Promise<void> {
    return this.#dockerd.kill(how, options)
  }

  startSshd(options?: SshdOptions & Cancellable): Promise<LabSshd> {
    return startSshd(this, options)
  }

  async setLink(state: 'up' | 'down'): Promise<void> {
    await this.#setting.network.setLink(this.name, state)
    // The carrier's change reaches the host's end some moments later; its routes follow it.
    const carrier = state === 'up' ? '1' : '0'
    await waitFor(async () => (await this.exec(['cat', '/sys/class/net/eth0/carrier'])).stdout.trim() === carrier, {
      what: `the link of host ${this.name} to be ${state}`,
      deadlineMs: 5000,
    })
  }

  setLinkFaults(faults: LinkFaults): Promise<void> {
    return this.#setting.network.setFaults(this.name, faults)
  }

  async setClock(offsetMs: number): Promise<void> {
    if (!this.#ownClock)
      throw new BerthError('lab.clock', `set the clock of host ${this.name}: it was not made with a clock of its own`)
    await writeClock(this, offsetMs)
  }

  pause(part: HostPart): Promise<void> {
    return signalPart(this, part, 'SIGSTOP')
  }

  resume(part: HostPart): Promise<void> {
    return signalPart(this, part, 'SIGCONT')
  }

  kill(part: HostPart, signal: NodeJS.Signals = 'SIGKILL'): Promise<void> {
    return signalPart(this, part, signal)
  }

  restart(part: 'server' | 'agent' | 'netd', options?: Cancellable): Promise<void> {
    return restartPart(this, part, options)
  }
}

const checkSocketPath = (path: string): void => {
  if (Buffer.byteLength(path) <= MAX_SOCKET_PATH_BYTES) return
  throw new BerthError(
    'lab.dir-too-long',
    `Docker's socket ${path} is longer than a unix socket's path may be (${MAX_SOCKET_PATH_BYTES} bytes): give the lab a shorter dir`,
  )
}

import { existsSync, readFileSync } from 'node:fs'
import { mkdir, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { BerthError } from '@berth/core'
import { checkHostName, hostAddress, type LabNames, namesOf } from './addresses.ts'
import { CgroupTree } from './cgroup-tree.ts'
import { writeDaemonConfig } from './dockerd.ts'
import { Host, type HostSetting } from './host.ts'
import { ImageStock } from './image-stock.ts'
import type { HostOptions, Lab, LabHost, LabLog, LabOptions } from './lab.ts'
import { LabSwitch } from './lab-switch.ts'
import { tryLock } from './lock.ts'
import { claimIndex, type HostRecord, type Manifest, registryEntry, writeManifest } from './manifest.ts'
import { identify } from './process-table.ts'
import { cleanLabs, teardownLocked } from './teardown.ts'
import { waitFor } from './wait-for.ts'

const silent: LabLog = { debug: () => {}, info: () => {}, warn: () => {} }

/** Makes a lab and boots its hosts, in parallel. Labs whose owner died are removed first. */
export async function createLab(options: LabOptions): Promise<Lab> {
  if (process.getuid?.() !== 0)
    throw new BerthError('lab.not-root', 'create a lab: namespaces, mounts and dockerd need root')
  const log = options.log ?? silent
  const hosts = hostList(options)
  await cleanLabs(log)
  const lab = new NamespaceLab(await claim(options), log)
  try {
    await lab.start(options.signal)
    await addAll(lab, hosts, options.signal)
    return lab
  } catch (error) {
    await lab[Symbol.asyncDispose]()
    throw error
  }
}

/** Opens a lab that another process made (`listManifests`). */
export function openLab(manifest: Manifest, log: LabLog = silent): Lab {
  return new NamespaceLab(manifest, log)
}

/** Boots all of them; when one fails the others are stopped too, and only then is its error thrown: nothing goes on behind the caller. */
const addAll = async (lab: Lab, hosts: readonly HostOptions[], signal?: AbortSignal): Promise<void> => {
  const failure = new AbortController()
  const either = AbortSignal.any([failure.signal, ...(signal ? [signal] : [])])
  const adding = hosts.map((host) =>
    lab.addHost({ ...host, signal: either }).catch((error: unknown) => failure.abort(error)),
  )
  await Promise.all(adding)
  failure.signal.throwIfAborted()
}

const hostList = ({ hosts, dockerdPath }: LabOptions): HostOptions[] => {
  const list = typeof hosts === 'number' ? Array.from({ length: hosts }, () => ({})) : hosts
  return list.map((host) => ({ ...(dockerdPath === undefined ? {} : { dockerdPath }), ...host }))
}

const claim = async ({ dir, keep }: LabOptions): Promise<Manifest> => {
  // Between the claim of an index and the first thing made of it lies a moment in which a lab of another root directory (a chroot), which
  // has another registry but shares interfaces and cgroups, could take the same one.
  await using _creation = await waitFor(() => tryLock('berth-lab-create'), {
    what: 'other labs to be claimed',
    deadlineMs: 30_000,
  })
  const owner = keep ? null : (identify(process.pid) ?? null)
  const manifest = claimIndex(
    (index) => ({
      version: 1,
      index,
      owner,
      createdAt: new Date().toISOString(),
      dir: dir === undefined ? registryEntry(index) : join(dir, `lab-${index}`),
      switch: null,
      hosts: [],
      routes: [],
    }),
    isUnused,
  )
  new CgroupTree(namesOf(manifest.index).cgroup).create()
  return manifest
}

/** Nothing on the machine has a name or an address of this index: neither a stranger nor a lab of another registry. */
const isUnused = (index: number): boolean => {
  const names = namesOf(index)
  const { path, hierarchies } = new CgroupTree(names.cgroup)
  return !hierarchies.some(({ mountPoint }) => existsSync(join(mountPoint, path))) && !hasRouteInto(names)
}

/** /proc/net/route has destinations as little-endian hexadecimal numbers. */
const hasRouteInto = ({ index }: LabNames): boolean =>
  readFileSync('/proc/net/route', 'utf8')
    .split('\n')
    .slice(1)
    .some((line) => {
      const bytes = Buffer.from(line.split('\t')[1] ?? '', 'hex').reverse()
      return bytes[0] === 10 && ((bytes[1] === 213 && bytes[2] === index) || bytes[1] === 100 + index)
    })

class NamespaceLab implements Lab {
  #manifest: Manifest
  readonly #log: LabLog
  readonly #names: LabNames
  #network: LabSwitch | undefined
  readonly #hosts: Host[] = []

  constructor(manifest: Manifest, log: LabLog) {
    this.#manifest = manifest
    this.#log = log
    this.#names = namesOf(manifest.index)
    if (manifest.switch === null) return
    const network = new LabSwitch(this.#names, manifest.switch.pid)
    this.#network = network
    this.#hosts = manifest.hosts.map((record) => new Host(this.#settingOf(record.name, network), record))
  }

  get index(): number {
    return this.#names.index
  }

  get dir(): string {
    return this.#manifest.dir
  }

  get hosts(): readonly LabHost[] {
    return this.#hosts
  }

  get serverAddress(): string {
    return this.#names.serverAddress
  }

  get subnet(): string {
    return this.#names.subnet
  }

  get containerPool(): string {
    return this.#names.containerPool
  }

  host(name: string): LabHost {
    const found = this.#hosts.find((host) => host.name === name)
    if (found !== undefined) return found
    const known = this.#hosts.map((host) => host.name).join(', ')
    throw new BerthError(
      'lab.host-unknown',
      `host ${JSON.stringify(name)} of lab ${this.index}: there are ${known || 'none'}`,
    )
  }

  async start(signal?: AbortSignal): Promise<void> {
    await mkdir(this.dir, { recursive: true })
    const cgroup = new CgroupTree(`${this.#names.cgroup}/switch`)
    cgroup.create()
    this.#network = await LabSwitch.start(this.#names, cgroup, this.dir, signal)
    this.#record({ switch: identify(this.#network.pid) ?? null })
    await this.#network.plugInMachine()
  }

  async addHost(options: HostOptions & { readonly signal?: AbortSignal } = {}): Promise<LabHost> {
    const host = this.#newHost(options)
    try {
      await writeDaemonConfig(host.dir, options.daemonConfig ?? {})
      const { dockerdPath = null, usrLayer = null } = options
      if (options.baseImages === true) await host.stockImages(new ImageStock({ dockerdPath, usrLayer }))
      await host.boot(options)
      return host
    } catch (error) {
      // Should this fail too, disposing of the lab still finds everything by the cgroup.
      await this.#dropHost(host).catch((cause) => this.#log.warn({ host: host.name, cause }, 'host only half removed'))
      throw error
    }
  }

  #newHost(options: HostOptions): Host {
    const network = this.#requireNetwork()
    const ordinal = this.#manifest.hosts.reduce((highest, { address }) => Math.max(highest, ordinalOf(address)), 0) + 1
    const name = checkHostName(options.name ?? `h${ordinal}`)
    if (name === 'switch' || this.#manifest.hosts.some((host) => host.name === name)) {
      throw new BerthError('lab.host-name', `add host ${name} to lab ${this.index}: the name is taken`)
    }
    const record: HostRecord = {
      name,
      address: hostAddress(this.#names, ordinal),
      dockerdPath: options.dockerdPath ?? null,
      usrLayer: options.usrLayer ?? null,
      ownClock: options.ownClock === true,
      init: null,
    }
    const host = new Host(this.#settingOf(name, network), record)
    this.#record({ hosts: [...this.#manifest.hosts, record] })
    this.#hosts.push(host)
    return host
  }

  async #dropHost(host: Host): Promise<void> {
    await host.powerOff()
    await rm(host.dir, { recursive: true, force: true })
    this.#record({ hosts: this.#manifest.hosts.filter(({ name }) => name !== host.name) })
    this.#hosts.splice(this.#hosts.indexOf(host), 1)
  }

  #settingOf(name: string, network: LabSwitch): HostSetting {
    return {
      names: this.#names,
      labDir: this.dir,
      network,
      log: this.#log,
      onInit: (init) =>
        this.#record({ hosts: this.#manifest.hosts.map((host) => (host.name === name ? { ...host, init } : host)) }),
    }
  }

  async routeContainers(host: LabHost, cidr: string): Promise<void> {
    this.#record({ routes: [...this.#manifest.routes, { cidr, via: host.address }] })
    await this.#requireNetwork().addRoute(cidr, host.address)
  }

  #requireNetwork(): LabSwitch {
    if (this.#network !== undefined) return this.#network
    throw new BerthError(
      'lab.not-started',
      `lab ${this.index} has no switch: it was never started; remove it by \`lab down\``,
    )
  }

  #record(change: Partial<Manifest>): void {
    this.#manifest = { ...this.#manifest, ...change }
    writeManifest(this.#manifest)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const isThisLab = (manifest: Manifest) => manifest.createdAt === this.#manifest.createdAt
    await teardownLocked(this.index, this.#log, isThisLab)
  }
}

const ordinalOf = (address: string): number => Number(address.split('.')[3]) - 10

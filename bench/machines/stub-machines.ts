import { randomBytes } from 'node:crypto'
import { appendFileSync, copyFileSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { connect } from 'node:net'
import { join } from 'node:path'
import { inParallel, until } from '../../e2e/support/load.ts'
import { mustRun } from '../../packages/lab/src/command.ts'
import type { Lab, LabHost } from '../../packages/lab/src/index.ts'

/** What is wrong with a machine, until it is mended. */
export type Fault = 'off' | 'no-login' | 'full-disk' | 'other-host-key'

export interface StubMachine {
  readonly name: string
  readonly address: string
  /** Its disk. */
  readonly dir: string
  readonly fault?: Fault | undefined
}

const firstAddress = 30
const stubBytes = 4 * 1024 ** 2

/**
 * Machines that are a real sshd each and no more: one lab host with an address for each of them, and for each a mount and a hostname namespace of
 * its own, so that what is installed there, its identity and its name are its own.
 */
export class StubMachines {
  readonly all: readonly StubMachine[]
  readonly keyFile: string
  readonly knownHostsFile: string
  /** In place of the executable: a shell, which runs the file `node` of the folder in which it is called as `berth node join …`. */
  readonly stubFile: string
  readonly #host: LabHost
  readonly #dir: string

  constructor(lab: Lab, count: number, faultOf: (index: number) => Fault | undefined) {
    this.#host = lab.hosts[0] as LabHost
    this.#dir = join(lab.dir, 'machines')
    this.keyFile = join(this.#dir, 'id_ed25519')
    this.knownHostsFile = join(this.#dir, 'known_hosts')
    this.stubFile = join(this.#dir, 'berth')
    const prefix = lab.subnet.split('.').slice(0, 3).join('.')
    this.all = Array.from({ length: count }, (_, index) => ({
      name: `m-${index + 1}`,
      address: `${prefix}.${firstAddress + index}`,
      dir: join(this.#dir, `m-${index + 1}`),
      fault: faultOf(index),
    }))
  }

  machine(name: string): StubMachine {
    const found = this.all.find((each) => each.name === name)
    if (found === undefined) throw new Error(`no machine ${name}`)
    return found
  }

  /** `agents` is where the stub asks. */
  async start(agents: { readonly host: string; readonly port: number }): Promise<void> {
    mkdirSync(this.#dir, { recursive: true })
    copyFileSync('/bin/dash', this.stubFile)
    // As much to pack and to send as a small program has; half of it can be packed.
    appendFileSync(this.stubFile, Buffer.concat([randomBytes(stubBytes / 2), Buffer.alloc(stubBytes / 2)]))
    await makeKey(this.keyFile)
    await inParallel(this.all, 4, (each) => this.#prepare(each, agents))
    const addresses = this.all.map(({ address }) => `address add ${address}/24 dev eth0\n`).join('')
    await this.#inside(['ip', '-batch', '-'], addresses)
    await this.#inside(['mkdir', '-p', '/run/sshd'])
    await this.#boot(this.all.filter(({ fault }) => fault !== 'off'))
  }

  /** Takes away whatever was wrong with any of them. */
  async mend(): Promise<void> {
    for (const each of this.all.filter(({ fault }) => fault !== undefined)) await this.#mend(each)
  }

  async #mend(machine: StubMachine): Promise<void> {
    if (machine.fault === 'off') await this.#boot([machine])
    if (machine.fault === 'no-login') this.#letIn(machine)
    if (machine.fault === 'full-disk') {
      const login = ['-o', `UserKnownHostsFile=${this.knownHostsFile}`, '-i', this.keyFile, `root@${machine.address}`]
      await mustRun(['ssh', '-o', 'BatchMode=yes', ...login, 'mount -o remount,size=64m /usr/local'])
    }
    if (machine.fault === 'other-host-key') {
      const others = readFileSync(this.knownHostsFile, 'utf8').split('\n')
      const kept = others.filter((line) => !line.startsWith(`${machine.address} `))
      writeFileSync(this.knownHostsFile, kept.join('\n'))
      this.#know(machine, join(machine.dir, 'host_key.pub'))
    }
  }

  async #prepare(machine: StubMachine, agents: { readonly host: string; readonly port: number }): Promise<void> {
    const { dir, fault } = machine
    for (const each of ['berth', 'root', 'usr-local']) mkdirSync(join(dir, each), { recursive: true })
    const hostKey = join(dir, 'host_key')
    await makeKey(hostKey)
    this.#know(machine, fault === 'other-host-key' ? `${this.keyFile}.pub` : `${hostKey}.pub`)
    if (fault !== 'no-login') this.#letIn(machine)
    if (fault === 'full-disk') writeFileSync(join(dir, 'full'), '')
    const call = join(import.meta.dirname, 'call-agent.sh')
    writeFileSync(join(dir, 'root/node'), `exec bash '${call}' ${agents.host} ${agents.port} "$@"\n`)
    writeFileSync(join(dir, 'sshd_config'), sshdConfig(machine))
  }

  #letIn({ dir }: StubMachine): void {
    copyFileSync(`${this.keyFile}.pub`, join(dir, 'authorized_keys'))
  }

  #know({ address }: StubMachine, publicKeyFile: string): void {
    const [type = '', key = ''] = readFileSync(publicKeyFile, 'utf8').split(' ')
    appendFileSync(this.knownHostsFile, `${address} ${type} ${key}\n`)
  }

  async #boot(machines: readonly StubMachine[]): Promise<void> {
    const script = join(import.meta.dirname, 'start-machines.sh')
    await this.#host.spawn(['sh', script, ...machines.map(({ name, dir }) => `${name}=${dir}`)])
    await inParallel(machines, 8, async ({ name, address }) => {
      await until(`sshd of ${name}`, () => accepts(address), 60_000)
    })
  }

  async #inside(argv: readonly string[], input?: string): Promise<void> {
    const { code, stderr } = await this.#host.exec(argv, input === undefined ? {} : { input })
    if (code !== 0) throw new Error(`${argv.join(' ')}: ${stderr}`)
  }
}

const makeKey = (file: string): Promise<string> =>
  mustRun(['ssh-keygen', '-q', '-t', 'ed25519', '-N', '', '-C', 'bench', '-f', file])

const sshdConfig = ({ address, dir }: StubMachine): string =>
  [
    `ListenAddress ${address}`,
    `HostKey ${join(dir, 'host_key')}`,
    'PidFile none',
    `AuthorizedKeysFile ${join(dir, 'authorized_keys')}`,
    ...['PasswordAuthentication no', 'KbdInteractiveAuthentication no', 'PermitRootLogin yes'],
    ...['UsePAM no', 'UseDNS no', 'StrictModes no', ''],
  ].join('\n')

const accepts = (host: string): Promise<boolean> =>
  new Promise((resolve) => {
    const socket = connect({ host, port: 22, timeout: 2000 })
    const settle = (answer: boolean): void => {
      socket.destroy()
      resolve(answer)
    }
    socket.once('data', () => settle(true))
    for (const event of ['timeout', 'error', 'end'] as const) socket.once(event, () => settle(false))
  })

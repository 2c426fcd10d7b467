import type { HostPart } from './host-part.ts'
import type { LabSshd, SshdOptions } from './lab-sshd.ts'
import type { LinkFaults } from './link-faults.ts'

/** What a lab writes its progress to: any pino logger fits. */
export interface LabLog {
  debug(fields: object, message: string): void
  info(fields: object, message: string): void
  warn(fields: object, message: string): void
}

export interface LabOptions {
  /** How many hosts (named h1, h2, ...), or one entry a host. */
  readonly hosts: number | readonly HostOptions[]
  /** Where the hosts' disks are kept; a sub-directory is made there and removed with the lab. Default: beside the manifest. */
  readonly dir?: string
  /** The dockerd of every host that names none itself. containerd and runc are taken from its directory first. Default: the one on PATH. */
  readonly dockerdPath?: string
  /** A kept lab belongs to no process: it stays until it is disposed of by name. Default: false. */
  readonly keep?: boolean
  readonly log?: LabLog
  readonly signal?: AbortSignal
}

export interface HostOptions {
  /** At most 12 of a-z, 0-9 and `-`. Default: h1, h2, ... */
  readonly name?: string
  readonly dockerdPath?: string
  /** A directory laid over the host's /usr: other versions of programs and libraries than the machine's, as `trixieDocker` gives. */
  readonly usrLayer?: string
  /** Merged over the lab's own /etc/docker/daemon.json (live-restore, cgroupfs). */
  readonly daemonConfig?: Readonly<Record<string, unknown>>
  /** Its Docker has `berth/base:local` and `berth/node:local` as soon as it has started: what an earlier host has loaded is shared. Default: false. */
  readonly baseImages?: boolean
  /** False: no dockerd is started until `startDockerd()`. Default: true. */
  readonly startDockerd?: boolean
  /** Programs that are started in it see a clock that `setClock` moves (needs libfaketime). Default: the machine's. */
  readonly ownClock?: boolean
}

/**
 * Hosts on one machine, joined by one layer 2. Disposing of a lab leaves nothing behind: no process, namespace, interface, route, cgroup or
 * file. A lab whose owner died is removed by the next `createLab` or by `cleanLabs`.
 */
export interface Lab extends AsyncDisposable {
  /** 1 to 99, unique among the machine's labs. Every name and address of the lab follows from it. */
  readonly index: number
  /** Where the hosts' disks are. */
  readonly dir: string
  readonly hosts: readonly LabHost[]
  /** The address at which hosts and containers reach this process's network namespace. */
  readonly serverAddress: string
  /** The hosts' layer 2, e.g. `10.213.7.0/24`. */
  readonly subnet: string
  /** A /16 that no other lab on this machine uses: take container subnets from it, so that labs can run beside each other. */
  readonly containerPool: string
  addHost(options?: HostOptions & { readonly signal?: AbortSignal }): Promise<LabHost>
  /** The host of that name; throws `lab.host-unknown`. */
  host(name: string): LabHost
  /** Makes this process's network namespace reach the containers in `cidr` through `host`; undone when the lab is disposed of. */
  routeContainers(host: LabHost, cidr: string): Promise<void>
}

/**
 * One simulated machine: its own network, mount, process, hostname and cgroup namespaces, its own /etc, /var, /run, /proc and /sys, and a dockerd at Docker's standard places. What the machine writes to /etc and to /var/lib/{docker,containerd,berth} and /var/log lasts over a reboot; the
 * rest of /var and /run do not. Everything else (/usr, /tmp, the repository) is the real machine's.
 */
export interface LabHost {
  readonly name: string
  /** On the lab's layer 2, e.g. `10.213.7.11`. */
  readonly address: string
  /** Seen from this process: `unix:///.../run/docker.sock`. Inside the host it is Docker's standard /run/docker.sock. */
  readonly dockerHost: string
  /** The host's root of kept files; `etc`, `run`, `log`, `docker` and `berth` in it are the host's own. */
  readonly dir: string
  /** The process whose death is the host's: first process of its namespaces. Changes at every reboot. */
  readonly initPid: number
  /** For `nsenter --net=`; changes at every reboot. */
  readonly netnsPath: string

  /** Runs a command inside the host to its end. A non-zero exit is a result, not an error. */
  exec(argv: readonly string[], options?: ExecOptions): Promise<ExecResult>
  /** Starts a process inside the host that outlives this one until it is killed, the host reboots, or the lab is disposed of. */
  spawn(argv: readonly string[], options?: SpawnOptions): Promise<SpawnedProcess>
  /** The argv that runs `argv` inside the host, for a caller that starts the process itself (terminals, pipes). */
  enterArgv(argv: readonly string[], options?: { readonly cwd?: string }): string[]
  /** Process ids inside the host are its own: this gives the one that this process sees, or undefined when there is none. */
  outerPid(pidInHost: number): Promise<number | undefined>

  /** Starts dockerd and waits until it answers; at once when it does already. */
  startDockerd(options?: Cancellable): Promise<void>
  /** Signals dockerd and waits until it is gone. Containers go on, since the host's dockerd has live-restore. */
  killDockerd(signal?: NodeJS.Signals, options?: Cancellable): Promise<void>
  /** Power cut and power on: kills every process, container and namespace of the host, empties /run, boots again and starts dockerd. */
  reboot(options?: Cancellable & { readonly startDockerd?: boolean }): Promise<void>
  /** The power cut alone: until `boot` the host is off. */
  powerOff(options?: Cancellable): Promise<void>
  boot(options?: Cancellable & { readonly startDockerd?: boolean }): Promise<void>
  /** A real sshd (Debian's openssh-server), which lets the lab's own key in unless told otherwise. */
  startSshd(options?: SshdOptions & Cancellable): Promise<LabSshd>
  /** `down` pulls the host's cable (no carrier on its eth0); `up` plugs it in again. */
  setLink(state: 'up' | 'down'): Promise<void>
  /** What is wrong with its cable from now on, in place of what was; `{}` mends it. It lasts over a reboot. */
  setLinkFaults(faults: LinkFaults): Promise<void>
  /** How far the clock of its programs is ahead of the machine's, within a second; only with `ownClock`. */
  setClock(offsetMs: number): Promise<void>
  /** SIGSTOP: neither answers nor hangs up, until `resume`. */
  pause(part: HostPart): Promise<void>
  resume(part: HostPart): Promise<void>
  /** What is supervised comes back by itself. */
  kill(part: HostPart, signal?: NodeJS.Signals): Promise<void>
  /** Ends it and waits for its supervisor to start it again. */
  restart(part: 'server' | 'agent' | 'netd', options?: Cancellable): Promise<void>
}

export interface Cancellable {
  readonly signal?: AbortSignal
}

export interface ExecOptions extends Cancellable {
  /** Added to a minimal environment (PATH, HOME, LANG, TERM). */
  readonly env?: Readonly<Record<string, string>>
  readonly cwd?: string
  readonly input?: string | Uint8Array
}

export interface ExecResult {
  /** The exit code, or 128 + the number of the signal that ended it. */
  readonly code: number
  readonly stdout: string
  readonly stderr: string
}

export interface SpawnOptions {
  readonly env?: Readonly<Record<string, string>>
  readonly cwd?: string
  /** Where stdout and stderr go, appended. Default: `<host.dir>/log/<name of the command>.log`. */
  readonly logFile?: string
}

export interface SpawnedProcess {
  /** As this process sees it. */
  readonly pid: number
  readonly logFile: string
  /** Resolves at the end of the process; never rejects. */
  readonly exited: Promise<{ readonly code: number | null; readonly signal: NodeJS.Signals | null }>
  /** False when the process is gone already. */
  kill(signal?: NodeJS.Signals): boolean
}

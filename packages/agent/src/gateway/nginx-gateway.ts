import { chmod, readFile, rm } from 'node:fs/promises'
import { setTimeout as delay } from 'node:timers/promises'
import {
  BerthError,
  findRouteTableProblems,
  keepLastKnownGood,
  messageOf,
  type RouteTable,
  routeChanges,
} from '@berth/core'
import type { Logger } from 'pino'
import { type Exec, runCommand } from '../network/run-command.ts'
import { writeFileAtomic } from '../state/atomic-file.ts'
import { AdminClient } from './admin-client.ts'
import { CertificateChecker } from './certificates.ts'
import type { CallOptions, Gateway, GatewayStatus, WorkerCounts } from './gateway.ts'
import { stoppedStatus, toStatus, toWorkerCounts } from './gateway-status.ts'
import { type Configuration, outsideTempDir, prepareFiles, removeOldLua } from './nginx-files.ts'
import { findNginx } from './nginx-install.ts'
import { checkOptions, type GatewayPaths, gatewayPaths, type NginxGatewayOptions } from './nginx-options.ts'
import { NginxProcess } from './nginx-process.ts'
import { TableDump } from './table-dump.ts'
import { decodeDump, decodeTable, encodeChanges, encodeTable } from './table-text.ts'

const defaultGraceMs = 10_000
const reloadTimeoutMs = 10_000
const pollMs = 20
/** A worker that starts reads the whole table and all changes since: these stay below this part of it. */
const wholeAfter = 4
/** Until old workers have been told that there are new ones, and have said what they serve. */
const oldWorkersMs = 300

/** The gateway of a node: nginx with Lua. See `docs/design/gateway.md`. Throws `gateway.invalid-options`. */
export function createNginxGateway(options: NginxGatewayOptions, exec: Exec = runCommand): Gateway {
  checkOptions(options)
  return new NginxGateway(options, exec)
}

const noTable: RouteTable = { version: 0, routes: [], certificates: [] }

const endedMeanwhile = (): BerthError =>
  new BerthError('gateway.not-running', 'adopt the gateway: its nginx has ended meanwhile', { retryable: true })

class NginxGateway implements Gateway {
  readonly #options: NginxGatewayOptions
  readonly #exec: Exec
  readonly #log: Logger
  readonly #paths: GatewayPaths
  readonly #process: NginxProcess
  readonly #admin: AdminClient
  readonly #certificates = new CertificateChecker()
  /** The table in force, as far as it is known: what a new one is compared with. */
  #current: RouteTable | undefined
  #kept: readonly string[] = []
  /** Of the whole table that nginx was told last, and of the changes since. */
  #wholeBytes = 0
  #changedBytes = 0
  readonly #dump: TableDump
  /** Every change waits for the one before. */
  #queue: Promise<unknown> = Promise.resolve()

  constructor(options: NginxGatewayOptions, exec: Exec) {
    this.#options = options
    this.#exec = exec
    this.#log = options.log
    this.#paths = gatewayPaths(options.stateDir)
    this.#process = new NginxProcess(exec, this.#paths)
    this.#admin = new AdminClient(this.#paths.adminSocket)
    this.#dump = new TableDump({
      ...{ path: this.#paths.dump, log: this.#log },
      text: () => encodeTable(this.#current ?? noTable, this.#kept),
      ...(options.dumpAfterMs === undefined ? {} : { afterMs: options.dumpAfterMs }),
    })
  }

  start(options: CallOptions = {}): Promise<void> {
    return this.#inTurn(() => this.#start(options))
  }

  apply(table: RouteTable, options: CallOptions & { readonly force?: boolean } = {}): Promise<void> {
    return this.#inTurn(() => this.#apply(table, options))
  }

  async status(options: CallOptions & { readonly counters?: boolean } = {}): Promise<GatewayStatus> {
    const pid = await this.#process.pid()
    if (pid === undefined) return stoppedStatus
    try {
      const counters = options.counters === true ? await this.#admin.counters(options) : undefined
      return toStatus(pid, await this.#admin.inflight(options), counters)
    } catch (error) {
      if (error instanceof BerthError && error.code === 'gateway.not-running') return stoppedStatus
      throw error
    }
  }

  async counts(options: CallOptions & { readonly changed?: 'since' | 'anew' } = {}): Promise<WorkerCounts> {
    return toWorkerCounts(await this.#admin.counters(options))
  }

  stop(options: CallOptions & { readonly graceMs?: number } = {}): Promise<void> {
    return this.#inTurn(async () => {
      await this.#dump.flush()
      await this.#process.stop(options.graceMs ?? defaultGraceMs, options.signal)
      await rm(this.#paths.adminSocket, { force: true })
      await rm(outsideTempDir(this.#paths), { recursive: true, force: true })
      this.#log.info('nginx stopped')
    })
  }

  onEnd(listener: () => void): () => void {
    return this.#admin.onEnd(listener)
  }

  /** Waits for what is under way and leaves nginx running. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.#queue
    await this.#dump.flush()
    this.#admin[Symbol.dispose]()
  }

  #inTurn<T>(act: () => Promise<T>): Promise<T> {
    const result = this.#queue.then(act)
    this.#queue = result.catch(() => {})
    return result
  }

  async #start({ signal }: CallOptions): Promise<void> {
    signal?.throwIfAborted()
    const nginx = await findNginx(this.#exec, this.#options.nginxPath, signal)
    const configuration = await prepareFiles(this.#options, this.#paths, nginx)
    const pid = await this.#process.pid()
    if (pid === undefined) await this.#launch(nginx.path, configuration, signal)
    else await this.#adopt(nginx.path, configuration, pid, signal)
    // nginx lets everybody use its sockets; until here, and after a start without an agent, the folder keeps others out.
    await chmod(this.#paths.adminSocket, 0o600)
    await removeOldLua(this.#paths, configuration)
    await this.#learnTable(signal)
  }

  async #launch(nginxPath: string, configuration: Configuration, signal: AbortSignal | undefined): Promise<void> {
    const orphans = await this.#process.dismissOrphans(signal)
    if (orphans > 0) this.#log.warn({ orphans }, 'dismissed workers of an nginx whose master was killed')
    // A socket file that nobody listens at would keep nginx from binding.
    await rm(this.#paths.adminSocket, { force: true })
    await this.#writeConfiguration(configuration)
    // It begins with the table that was in force when it ended.
    await this.#dump.flush()
    await this.#process.start(nginxPath, signal)
    this.#log.info({ pid: await this.#process.pid() }, 'nginx started')
  }

  /** Not when it is there: a full disk must not keep nginx from starting again. */
  async #writeConfiguration({ text }: Configuration): Promise<void> {
    const found = await readFile(this.#paths.configuration, 'utf8').catch(() => undefined)
    if (found !== text) await writeFileAtomic(this.#paths.configuration, text)
  }

  async #adopt(
    nginxPath: string,
    configuration: Configuration,
    pid: number,
    signal: AbortSignal | undefined,
  ): Promise<void> {
    const running = await this.#runningConfiguration(signal)
    if (running.digest === configuration.digest) {
      this.#log.info({ pid }, 'nginx adopted')
      return
    }
    if (running.silence !== undefined) this.#log.warn({ reason: running.silence }, 'nginx runs and does not answer')
    const draft = `${this.#paths.configuration}.draft`
    await writeFileAtomic(draft, configuration.text)
    try {
      await this.#process.check(nginxPath, draft, signal)
    } finally {
      await rm(draft, { force: true })
    }
    await writeFileAtomic(this.#paths.configuration, configuration.text)
    await this.#process.reload()
    await this.#awaitConfiguration(configuration.digest, signal)
    // From then on the workers that were there before say what they still serve: nobody takes a member for unused that is not.
    await delay(oldWorkersMs, undefined, { signal })
    this.#log.info({ pid }, 'nginx adopted; it has read its changed configuration')
  }

  /** Of an nginx that runs; `silence`: why it did not say. */
  async #runningConfiguration(signal: AbortSignal | undefined): Promise<{ digest?: string; silence?: string }> {
    try {
      return { digest: (await this.#admin.inflight({ ...(signal && { signal }) })).configuration }
    } catch (error) {
      signal?.throwIfAborted()
      return { silence: messageOf(error) }
    }
  }

  /** Throws `gateway.start-failed` with what nginx wrote when it does not come to work by it, such as for a port that is taken. */
  async #awaitConfiguration(digest: string, signal: AbortSignal | undefined): Promise<void> {
    const deadline = Date.now() + reloadTimeoutMs
    for (;;) {
      const running = await this.#runningConfiguration(signal)
      if (running.digest === digest) return
      if ((await this.#process.pid()) === undefined) throw endedMeanwhile()
      if (Date.now() > deadline) {
        const why = running.silence ?? `${this.#paths.errorLog} says why`
        throw new BerthError(
          'gateway.reload-failed',
          `change the gateway's configuration: nginx goes on with the old one; ${why}`,
        )
      }
      await delay(pollMs, undefined, { signal })
    }
  }

  /**
   * The running nginx knows best what is in force, and the dump follows it: an agent may have been killed before it wrote. The dump is asked when
   * nginx was started without one that it could read.
   */
  async #learnTable(signal: AbortSignal | undefined): Promise<void> {
    const text = await this.#admin.getTable({ ...(signal && { signal }) })
    const [running, dumped] = [decodeTable(text), decodeDump(await this.#readDump())]
    const known = running ?? decodeTable(dumped ?? '')
    this.#current = known?.table
    this.#kept = known?.kept ?? []
    this.#wholeBytes = text.length
    this.#changedBytes = 0
    if (running !== undefined && text !== dumped) this.#dump.changed()
  }

  #readDump(): Promise<string> {
    return readFile(this.#paths.dump, 'utf8').catch(() => '')
  }

  async #apply(table: RouteTable, options: CallOptions & { readonly force?: boolean }): Promise<void> {
    options.signal?.throwIfAborted()
    this.#check(table, options.force === true)
    const { table: effective, kept } = keepLastKnownGood(this.#current, table)
    if (!(await this.#applyChanges(effective, kept, options))) {
      const text = encodeTable(effective, kept)
      await this.#admin.putTable(text, options)
      this.#wholeBytes = text.length
      this.#changedBytes = 0
    }
    this.#current = effective
    this.#reportKept(kept)
    this.#dump.changed()
    // The word of a person that allowed an older table is used up with this.
    if (options.force === true) await this.#dump.flush()
  }

  /** False where the table has to be told as a whole: nobody knows what was before it, or so much has changed that the whole is no longer. */
  async #applyChanges(table: RouteTable, kept: readonly string[], options: CallOptions): Promise<boolean> {
    if (this.#current === undefined || table.version <= this.#current.version) return false
    const text = encodeChanges(routeChanges(this.#current, table), table.routes.length, kept)
    if (this.#changedBytes + text.length > this.#wholeBytes / wholeAfter) return false
    if (!(await this.#admin.putChanges(text, options))) return false
    this.#changedBytes += text.length
    return true
  }

  #check(table: RouteTable, force: boolean): void {
    const problems = [...findRouteTableProblems(table), ...this.#certificates.problemsOf(table.certificates)]
    if (problems.length > 0) {
      const list = problems.slice(0, 5).map(({ path, message }) => `${path}: ${message}`)
      throw new BerthError('gateway.invalid-table', `apply table ${table.version} to the gateway: ${list.join('; ')}`, {
        details: { problems },
      })
    }
    const current = this.#current?.version ?? 0
    if (table.version < current && !force) {
      throw new BerthError(
        'gateway.stale-table',
        `apply table ${table.version} to the gateway: ${current} is in force; an older one is applied only after a restore was confirmed`,
      )
    }
  }

  #reportKept(kept: readonly string[]): void {
    if (kept.join('\n') !== this.#kept.join('\n') && kept.length > 0) {
      this.#log.warn({ routes: kept }, 'the table has no member for these routes; they keep their last ones')
    }
    this.#kept = kept
  }
}

import { once } from 'node:events'
import { setTimeout as delay } from 'node:timers/promises'
import { BerthError, messageOf } from '@berth/core'
import type { Logger } from 'pino'
import { ensureLoopbackAddress, hasLocalAddress } from '../network/loopback-address.ts'
import { type ContainerPluginOptions, startContainerPlugin } from '../network/plugin/container-plugin.ts'
import { type Exec, runCommand } from '../network/run-command.ts'
import type { Zone } from './forwarder.ts'
import { watchHostResolvers } from './host-resolvers.ts'
import { LoopReport } from './netd-problem.ts'
import type { NetdState } from './netd-state.ts'
import { NetdWatcher } from './netd-watcher.ts'
import { dnsAddress } from './resolv-conf.ts'
import { type NetdCounters, Responder } from './responder.ts'
import { TcpListener } from './tcp-listener.ts'
import { UdpListener } from './udp-listener.ts'
import { Upstream } from './upstream.ts'
import { ZoneResolvers } from './zone-resolvers.ts'

export interface NetdOptions {
  /** Berth's state directory; netd reads `netd/` below it. */
  readonly stateDir: string
  readonly log: Logger
  /** Default: the one that every container asks. Addresses that are missing are added to `lo`. */
  readonly listenAddresses?: readonly string[]
  /** Default: 53. 0 takes a free one, which only tests want. */
  readonly port?: number
  readonly resolvConfPath?: string
  /** Port of the host's resolvers; 53 but in tests. */
  readonly resolverPort?: number
  readonly exec?: Exec
  /** Serves Docker's network plugin too; absent: names only. */
  readonly plugin?: Pick<ContainerPluginOptions, 'runDir' | 'socketPath'>
}

export interface Netd extends AsyncDisposable {
  readonly port: number
  readonly counters: NetdCounters
}

const retryMs = 500
const checkIntervalMs = 5000

/**
 * Starts serving names and returns once it does. It needs neither server nor agent nor dockerd, and is to be started before dockerd. An address that
 * cannot be served yet is tried again until `signal` ends it.
 */
export async function startNetd(options: NetdOptions, { signal }: { signal?: AbortSignal } = {}): Promise<Netd> {
  const { stateDir, log, listenAddresses = [dnsAddress], resolvConfPath = '/etc/resolv.conf' } = options
  await using started = new AsyncDisposableStack()
  const loops = started.use(new LoopReport(stateDir, log))
  const responder = new Responder((resolver) => loops.note(resolver))
  // First: dockerd may be starting already, and names wait for addresses that containers do not need.
  if (options.plugin !== undefined) started.use(await startContainerPlugin({ stateDir, log, ...options.plugin }))
  const tell = (zones: readonly Zone[]) => responder.setZones(zones)
  const zones = started.use(new ZoneResolvers({ own: listenAddresses, tell, port: options.resolverPort }))
  const take = (state: Partial<NetdState>) => {
    responder.setState(state)
    zones.setState(state)
  }
  started.use(await NetdWatcher.start({ stateDir, log, tell: take }))
  let upstreams: readonly Upstream[] = []
  const closeUpstreams = () => {
    for (const upstream of upstreams) upstream[Symbol.dispose]()
  }
  started.defer(closeUpstreams)
  started.use(
    await watchHostResolvers(resolvConfPath, listenAddresses, (addresses) => {
      log.info({ resolvers: addresses }, "took over the host's resolvers")
      closeUpstreams()
      loops.forget()
      upstreams = addresses.map((address) => new Upstream(address, options.resolverPort))
      responder.setResolvers(upstreams)
    }),
  )
  let port = options.port ?? 53
  for (const address of listenAddresses) {
    const listeners = await serve(address, port, responder, options, signal)
    for (const listener of listeners) started.use(listener)
    port = listeners[0].port
  }
  started.use(keepAddresses(listenAddresses, options))
  log.info({ addresses: listenAddresses, port }, 'serving names')
  const running = started.move()
  return {
    port,
    counters: responder.counters,
    [Symbol.asyncDispose]: () => running.disposeAsync(),
  }
}

/** {@link startNetd}, until the signal ends it. */
export async function runNetd(options: NetdOptions, { signal }: { signal: AbortSignal }): Promise<void> {
  try {
    await using netd = await startNetd(options, { signal })
    if (!signal.aborted) await once(signal, 'abort')
    options.log.info({ counters: netd.counters }, 'ending')
  } catch (error) {
    if (!signal.aborted) throw error
  }
}

async function serve(
  address: string,
  port: number,
  responder: Responder,
  { log, exec = runCommand }: NetdOptions,
  signal: AbortSignal | undefined,
): Promise<[UdpListener, TcpListener]> {
  let reported = ''
  for (;;) {
    try {
      await ensureAddress(address, exec, signal)
      return await open(address, port, responder)
    } catch (error) {
      signal?.throwIfAborted()
      const problem = new BerthError('netd.cannot-listen', `serve DNS at ${address}:${port}: ${messageOf(error)}`)
      if (problem.message !== reported) log.error({ problem: problem.message }, 'cannot serve yet, trying again')
      reported = problem.message
    }
    await delay(retryMs, undefined, { signal })
  }
}

async function open(address: string, port: number, responder: Responder): Promise<[UdpListener, TcpListener]> {
  const udp = await UdpListener.open(address, port, responder)
  try {
    return [udp, await TcpListener.open(address, udp.port, responder)]
  } catch (error) {
    await udp[Symbol.asyncDispose]()
    throw error
  }
}

async function ensureAddress(address: string, exec: Exec, signal?: AbortSignal): Promise<void> {
  if (!hasLocalAddress(address)) await ensureLoopbackAddress(exec, address, signal)
}

/** A socket stays open when its address goes, but hears nothing until it is back. */
function keepAddresses(addresses: readonly string[], { log, exec = runCommand }: NetdOptions): Disposable {
  const check = async () => {
    for (const address of addresses) await ensureAddress(address, exec)
  }
  const timer = setInterval(() => {
    check().catch((error: unknown) => log.error({ error: messageOf(error) }, 'cannot bring back the address'))
  }, checkIntervalMs)
  timer.unref()
  return { [Symbol.dispose]: () => clearInterval(timer) }
}

import type { RoutesReport } from '@berth/api'
import { type RoutesMode, sessionName } from '@berth/core'
import { readRoutes, readRoutes6 } from '../network/host-state.ts'
import { singleOf } from '../network/loopback-address.ts'
import { routeProtocol } from '../network/route-protocol.ts'
import type { Exec } from '../network/run-command.ts'
import type { BirdKeeper } from './bird-keeper.ts'
import { readBirdRoutes } from './bird-report.ts'
import type { SessionState } from './session-watch.ts'

export interface RoutesReportOptions {
  readonly mode: RoutesMode
  readonly exec: Exec
  /** Undefined: it does not run. */
  readonly bird: Pick<BirdKeeper, 'ask'> | undefined
  readonly states: readonly SessionState[]
  readonly signal: AbortSignal
}

/** The routes to others' blocks, of both kinds, and the sessions that some of them come from. */
export async function routesReport({ mode, exec, bird, states, signal }: RoutesReportOptions): Promise<RoutesReport> {
  const reply = await bird?.ask('show route primary where source = RTS_BGP', { signal })
  const learned = readBirdRoutes(reply?.lines ?? [])
  const all = [...(await readRoutes(exec, signal)), ...(await readRoutes6(exec, signal))]
  const statics = all.filter(({ protocol }) => protocol === routeProtocol)
  return {
    mode,
    running: bird !== undefined,
    sessions: states.map(({ session, isUp, since, why }) => ({
      ...{ with: session.with, name: session.name, address: session.address, as: session.as, up: isUp, since },
      ...(why === undefined ? {} : { why }),
      learned: learned.filter(({ from }) => from === sessionName(session)).length,
    })),
    routes: [
      ...learned.map(({ block, from, reachable, via, device }) => ({
        ...{ block, kind: 'bgp' as const, from: from.replace(/^node\./, '').replace(/^peer\./, 'router '), reachable },
        ...(via === undefined ? {} : { via }),
        ...(device === undefined ? {} : { device }),
      })),
      ...statics.map(({ dst, gateway, dev }) => ({
        ...{ block: dst.includes('/') ? dst : singleOf(dst), kind: 'static' as const, reachable: true },
        ...(gateway === undefined ? {} : { via: gateway }),
        ...(dev === undefined ? {} : { device: dev }),
      })),
    ],
  }
}

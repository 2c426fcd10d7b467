import { outsideNode } from '@berth/core'
import type { State } from '../records/index.ts'
import { type Answer, type ConsulCall, json } from './consul-call.ts'
import { ownDatacenter } from './shapes.ts'

export interface ServerPaths {
  readonly state: State
  /** This server. */
  readonly name: string
  readonly version: string
}

/** `/v1/status/…`, `/v1/agent/self` and `/v1/agent/members`; undefined: another's. */
export function serverAnswer({ state, name, version }: ServerPaths, { words }: ConsulCall): Answer | undefined {
  const path = words.join('/')
  if (path === 'status/leader') return json(leaderOf(state))
  if (path === 'status/peers') return json(state.members.all().map((each) => each.agentAddress ?? each.name))
  if (path === 'agent/members') return json(state.members.all().map((each) => memberOf(each.name, each.agentAddress)))
  if (path !== 'agent/self') return undefined
  const own = state.members.get(name)
  return json({
    // All sites are this one datacenter to those who ask for theirs.
    Config: { Datacenter: ownDatacenter, NodeName: outsideNode, Server: true, Revision: '', Version: version },
    DebugConfig: {},
    Coord: null,
    Member: memberOf(outsideNode, own?.agentAddress),
    Stats: { consul: { server: 'true', leader: String(state.leaders.get('cluster')?.server === name) } },
    Meta: {},
  })
}

/** `host:port`, or empty while nobody leads. */
function leaderOf(state: State): string {
  const leader = state.leaders.get('cluster')?.server
  return leader === undefined ? '' : (state.members.get(leader)?.agentAddress ?? leader)
}

function memberOf(name: string, address: string | undefined) {
  const at = address?.lastIndexOf(':') ?? -1
  return {
    ...{ Name: name, Addr: address?.slice(0, at) ?? '', Port: at < 0 ? 0 : Number(address?.slice(at + 1)) },
    ...{ Tags: { role: 'consul', dc: ownDatacenter }, Status: 1 },
  }
}

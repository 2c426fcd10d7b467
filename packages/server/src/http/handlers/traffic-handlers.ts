import type {
  AcmeView,
  InstanceTrafficView,
  MaintenanceView,
  PoolTrafficView,
  PortTrafficView,
  RouteTrafficView,
} from '@berth/api'
import { BerthError, connectionRate, type RequestSummary, summarizeRequests } from '@berth/core'
import type { Acme } from '../../acme/acme.ts'
import { requirePool } from '../../controllers/operations/lookup.ts'
import type { MaintenanceRecord } from '../../records/index.ts'
import type { RequestRate, TrafficStep } from '../../traffic/request-stats.ts'
import { certifiedNames, portRouteUrl, routeUrl } from '../../views/route-url.ts'
import { defined } from '../../views/view-context.ts'
import { done, type Handlers } from '../handler.ts'
import { matches } from '../listings/traffic-listings.ts'
import type { Services } from '../services.ts'

const defaultWindowMs = 5 * 60_000
const maxSteps = 400
/** Requests are kept in slots of so long: what has not been filled yet is no step of a chart. */
const slotMs = 5_000

interface TrafficQuery {
  readonly instances?: boolean | undefined
  readonly app?: string | undefined
  readonly pool?: string | undefined
}

export const trafficHandlers = (
  services: Services,
): Pick<
  Handlers,
  'getTraffic' | 'getPoolTraffic' | 'getMaintenance' | 'setMaintenance' | 'getAcme' | 'setAcme' | 'removeAcme'
> => {
  const { requests, views, maintenance, acme } = services
  return {
    getTraffic: ({ query }) => {
      const { knownToMs } = requests
      const known = knownToMs === undefined ? {} : { knownToMs }
      const instances = query.instances === false ? [] : instancesNow(services, query)
      const ports = portsNow(services, query)
      return { routes: routesNow(services, query), instances, ...(ports.length === 0 ? {} : { ports }), ...known }
    },
    getAcme: () => acmeView(acme),
    setAcme: async ({ body: { termsOfServiceAgreed: _, ...settings }, context }) => {
      await acme.set(settings, context)
      return acmeView(acme)
    },
    removeAcme: ({ context }) => done(acme.remove(context)),
    getMaintenance: () => ({ items: maintenance.all().map(maintenanceView) }),
    setMaintenance: async ({ params, body, context }) =>
      maintenanceView(await maintenance.set(params.host, body, context)),
    getPoolTraffic: ({ params, query: { entrypoint, stepMs, toMs = Date.now(), fromMs = toMs - defaultWindowMs } }) => {
      requirePool(views.state, params.app, params.pool)
      if (fromMs >= toMs)
        throw new BerthError('request.invalid', `requests from ${fromMs} to ${toMs}: fromMs has to be before toMs`)
      if (stepMs !== undefined && (toMs - fromMs) / stepMs > maxSteps)
        throw new BerthError('request.invalid', `requests in steps of ${stepMs} ms: there are more than ${maxSteps}`)
      const of = { ...params, entrypoint }
      const { all, generations, ...known } = requests.window(of, fromMs, toMs)
      const told = Math.floor((known.knownToMs ?? Date.now()) / slotMs) * slotMs
      const steps =
        stepMs === undefined ? {} : { steps: stepsOf(requests.steps(of, fromMs, Math.min(toMs, told), stepMs)) }
      return { fromMs, toMs, all, generations: [...generations], ...known, ...steps }
    },
  }
}

const stepsOf = (steps: readonly TrafficStep[]): NonNullable<PoolTrafficView['steps']> =>
  steps.map(({ atMs, generations }) => ({ atMs, generations: [...generations] }))

const acmeView = (acme: Acme): AcmeView => {
  const { directoryUrl, email, caPem } = acme.account ?? {}
  return { ...defined({ directoryUrl, email, caPem }), hosts: acme.hosts() }
}

const maintenanceView = ({ isOn: on, ...rest }: MaintenanceRecord): MaintenanceView => ({ on, ...rest })

function routesNow({ views, requests }: Services, query: TrafficQuery): RouteTrafficView[] {
  const certified = certifiedNames(views.state)
  return views.traffic.routes().flatMap((route): RouteTrafficView[] => {
    const { id, app, pool, entrypoint, external } = route
    if ((query.app ?? app) !== app || (query.pool ?? pool) !== pool) return []
    const whose = external === undefined ? {} : { external }
    const url = routeUrl(route, views.gateway, certified)
    return [{ url, app, pool, entrypoint, ...whose, ...rateOf(requests.routeNow(id)) }]
  })
}

function portsNow({ views, requests }: Services, query: TrafficQuery): PortTrafficView[] {
  const now = Date.now()
  return views.traffic.portRoutes().flatMap((route): PortTrafficView[] => {
    const { id, app, pool, entrypoint } = route
    if ((query.app ?? app) !== app || (query.pool ?? pool) !== pool) return []
    const rateFor = (instance?: string) => {
      const { counts, overMs, open } = requests.connections.now(id, instance, now)
      return { ...connectionRate(counts, overMs), open }
    }
    const members = query.instances === false ? [] : route.members
    return [
      {
        ...{ url: portRouteUrl(route, views.gateway), app, pool, entrypoint, ...rateFor() },
        members: members.map(({ instance }) => ({ instance, ...rateFor(instance) })),
      },
    ]
  })
}

function instancesNow({ views, requests }: Services, query: TrafficQuery): InstanceTrafficView[] {
  return [...views.state.instances.values()].flatMap((each): InstanceTrafficView[] => {
    const rate = matches(each, query) ? requests.instanceNow(each.id) : undefined
    if (rate === undefined) return []
    const { id: instance, app, pool, entrypoint, release, generation } = each
    return [{ instance, app, pool, entrypoint, release, generation, ...rateOf(rate) }]
  })
}

type Rate = Pick<RouteTrafficView, 'perSecond' | 'errors4xxPerSecond' | 'errors5xxPerSecond' | 'lostPerSecond'> &
  Pick<RequestSummary, 'meanMs' | 'p50Ms' | 'p95Ms' | 'p99Ms'>

function rateOf(rate: RequestRate | undefined): Rate {
  if (rate === undefined) return { perSecond: 0, errors4xxPerSecond: 0, errors5xxPerSecond: 0, lostPerSecond: 0 }
  const { requests, errors4xx, errors5xx, lost, failedTries: _, ...times } = summarizeRequests(rate.counts)
  const seconds = rate.overMs / 1_000
  return {
    perSecond: requests / seconds,
    errors4xxPerSecond: errors4xx / seconds,
    errors5xxPerSecond: errors5xx / seconds,
    lostPerSecond: lost / seconds,
    ...times,
  }
}

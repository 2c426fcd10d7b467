import type { AppView } from '@berth/api/app-resources'
import type { RouteView } from '@berth/api/traffic-resources'
import { useMemo } from 'react'
import { useSession } from '../live/session.tsx'
import { useGlance } from '../live/use-glance.ts'
import { useTraffic } from '../metrics/use-traffic.ts'
import type { Snapshot } from '../store/collection.ts'
import { useList } from '../store/context.tsx'
import { type Band, bandsOf } from './topology-model.ts'

/** So many instances are told every two seconds without anybody noticing; of more only those of the target that is open. */
const mostInstances = 400
/** Sites of nodes are labels: all nodes have to be looked at. */
const mostNodes = 500

interface Scope {
  readonly app?: string
  readonly pool?: string
}

/** Whose instances are listed: all that may be shown when they are few, else those of the open target; undefined: nobody's. */
export function instanceScope(apps: readonly AppView[], app: string, open: string): Scope | undefined {
  const running = apps
    .filter(({ name }) => app === '' || name === app)
    .flatMap(({ pools }) => pools.flatMap(({ entrypoints }) => entrypoints.map((each) => each.running)))
    .reduce((sum, each) => sum + each, 0)
  if (running <= mostInstances) return app === '' ? {} : { app }
  const [name, pool] = open.split('/')
  return name === undefined || pool === undefined ? undefined : { app: name, pool }
}

/** All targets of routes, live. `app` narrows what is asked for, `open` is the key of the target whose instances are looked at. */
export function useBands(app: string, open: string): { readonly routes: Snapshot<RouteView>; readonly bands: Band[] } {
  const routes = useList('listRoutes', {})
  const apps = useList('listApps', {})
  const scope = useMemo(
    () => (apps.state === 'loading' ? undefined : instanceScope(apps.items, app, open)),
    [apps, app, open],
  )
  const isBroad = scope !== undefined && scope.pool === undefined
  const instances = useList('listInstances', scope && { query: { ...scope } })
  const nodes = useGlance('listNodes', useSession().nodes <= mostNodes ? {} : undefined)
  const all = useTraffic({ ...(app === '' ? {} : { app }), instances: isBroad })
  const ofOpen = useTraffic(isBroad || scope === undefined ? undefined : { ...scope, instances: true })
  const bands = useMemo(() => {
    const sites = new Map(nodes.flatMap(({ name, labels }) => (labels.site === undefined ? [] : [[name, labels.site]])))
    const traffic = { routes: all.routes, instances: isBroad ? all.instances : ofOpen.instances }
    return bandsOf({ routes: routes.items, apps: apps.items, instances: instances.items, sites, traffic })
  }, [routes, apps, instances, nodes, all, ofOpen, isBroad])
  return { routes, bands }
}

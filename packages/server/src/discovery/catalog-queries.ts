import { outsideNode } from '@berth/core'
import type { State } from '../records/index.ts'
import { type Catalog, checksTopic, nodesTopic, nodeTopic, servicesTopic, serviceTopic, tagsOf } from './catalog.ts'
import { type ConsulCall, json, type Query } from './consul-call.ts'
import { datacenterOf, filterOf, select, selectionOf, sitesOf } from './selection.ts'
import { ownDatacenter, type Shapes } from './shapes.ts'
import type { Topics } from './topics.ts'

export interface QueryContext {
  readonly state: State
  readonly topics: Topics
  readonly catalog: Catalog
  readonly shapes: Shapes
}

type Make = (context: QueryContext, call: ConsulCall, word: string) => Query

/** `/v1/catalog/<first word>/…`. */
export const catalogQueries: Readonly<Record<string, Make>> = {
  datacenters: (context) => query(context, 'datacenters', nodesTopic, () => [ownDatacenter, ...sitesOf(context.state)]),
  nodes: (context, { query: asked }) => {
    const selection = selectionOf(asked, context.state)
    return query(context, `nodes ${selection.key}`, nodesTopic, () =>
      context.shapes
        .nodes()
        .filter(({ Datacenter }) => selection.site === undefined || Datacenter === selection.site)
        .filter(({ Meta }) => selection.nodeMeta.every(([key, value]) => Meta[key] === value))
        .filter(selection.filter),
    )
  },
  services: (context, { query: asked }) => {
    const selection = selectionOf(asked, context.state)
    const isAll = selection.site === undefined && selection.nodeMeta.length === 0
    // Where only some count, which those are changes with each of them.
    const topic = isAll ? servicesTopic : checksTopic
    return query(context, `services ${selection.key}`, topic, () => {
      const services: Record<string, readonly string[]> = {}
      for (const [name, entries] of context.catalog.services()) {
        const chosen = isAll ? [...entries.values()] : select([...entries.values()], selection, context.shapes)
        const tags = tagsOf(chosen)
        if (chosen.length > 0 && selection.filter({ ServiceName: name, ServiceTags: tags })) services[name] = tags
      }
      return services
    })
  },
  service: (context, { query: asked }, service) => {
    const selection = selectionOf(asked, context.state)
    return query(context, `service ${service} ${selection.key}`, serviceTopic(service), () =>
      select(context.catalog.entriesOf(service), { ...selection, passing: false }, context.shapes)
        .map((entry) => context.shapes.catalogService(entry))
        .filter(selection.filter),
    )
  },
  connect: (context, _, service) => query(context, `connect ${service}`, serviceTopic(service), () => []),
  node: (context, { query: asked }, node) => {
    const [filter, expression] = [filterOf(asked.get('filter') ?? ''), asked.get('filter') ?? '']
    datacenterOf(asked, context.state)
    return query(context, `node ${node} ${expression}`, nodeTopic(node), () => {
      const found = nodeCalled(context, node)
      if (found === undefined) return null
      const services = context.catalog.entriesOn(node).map((entry) => context.shapes.service(entry))
      return { Node: found, Services: Object.fromEntries(services.filter(filter).map((each) => [each.ID, each])) }
    })
  },
  'node-services': (context, { query: asked }, node) => {
    const [filter, expression] = [filterOf(asked.get('filter') ?? ''), asked.get('filter') ?? '']
    datacenterOf(asked, context.state)
    return query(context, `node-services ${node} ${expression}`, nodeTopic(node), () => {
      const found = nodeCalled(context, node)
      if (found === undefined) return { Node: null, Services: [] }
      const services = context.catalog.entriesOn(node).map((entry) => context.shapes.service(entry))
      return { Node: found, Services: services.filter(filter) }
    })
  },
}

/** `/v1/health/<first word>/…`. */
export const healthQueries: Readonly<Record<string, Make>> = {
  service: (context, { query: asked }, service) => {
    const selection = selectionOf(asked, context.state)
    return query(context, `health ${service} ${selection.key}`, serviceTopic(service), () =>
      select(context.catalog.entriesOf(service), selection, context.shapes)
        .map((entry) => context.shapes.healthService(entry))
        .filter(selection.filter),
    )
  },
  connect: (context, _, service) => query(context, `connect ${service}`, serviceTopic(service), () => []),
  ingress: (context, _, service) => query(context, `connect ${service}`, serviceTopic(service), () => []),
  checks: (context, { query: asked }, service) => {
    const selection = selectionOf(asked, context.state)
    return query(context, `checks ${service} ${selection.key}`, serviceTopic(service), () =>
      select(context.catalog.entriesOf(service), { ...selection, passing: false }, context.shapes)
        .flatMap((entry) => context.shapes.serviceChecks(entry))
        .filter(selection.filter),
    )
  },
  node: (context, { query: asked }, node) => {
    const [filter, expression] = [filterOf(asked.get('filter') ?? ''), asked.get('filter') ?? '']
    datacenterOf(asked, context.state)
    return query(context, `health-node ${node} ${expression}`, nodeTopic(node), () =>
      [
        ...context.shapes.nodeChecks(node),
        ...context.catalog.entriesOn(node).flatMap((entry) => context.shapes.serviceChecks(entry)),
      ].filter(filter),
    )
  },
  state: (context, { query: asked }, state) => {
    const selection = selectionOf(asked, context.state)
    return query(context, `state ${state} ${selection.key}`, checksTopic, () => {
      const { catalog, shapes } = context
      const nodes = shapes
        .nodes()
        .filter(({ Datacenter }) => selection.site === undefined || Datacenter === selection.site)
        .flatMap(({ Node }) => shapes.nodeChecks(Node))
      const entries = [...catalog.services().values()].flatMap((each) => [...each.values()])
      const services = select(entries, { ...selection, passing: false }, shapes).flatMap((entry) =>
        shapes.serviceChecks(entry),
      )
      return [...nodes, ...services]
        .filter(({ Status }) => state === 'any' || Status === state)
        .filter(selection.filter)
    })
  },
}

/** What {@link Query.key} tells apart is what the closure depends on. */
function query({ topics, catalog }: QueryContext, key: string, topic: string, make: () => unknown): Query {
  return {
    ...{ key, topic },
    index: () => {
      catalog.refresh()
      return topics.indexOf(topic)
    },
    answer: () => json(make()),
  }
}

function nodeCalled({ shapes, catalog }: QueryContext, name: string) {
  const [first] = name === outsideNode ? catalog.entriesOn(name) : []
  return shapes.node(name) ?? (first === undefined ? undefined : shapes.outside(first))
}

import { BerthError, type Instance, messageOf } from '@berth/core'
import type { Logger } from 'pino'
import { requireInstance } from '../../controllers/operations/lookup.ts'
import { relayExec } from '../../exec/relay-exec.ts'
import { readInstanceLogs } from '../../logs/read-instance-logs.ts'
import { gatherMetrics } from '../../metrics/gather-metrics.ts'
import { listeningPortsOf } from '../../nodes/listening-ports.ts'
import { instanceView } from '../../views/instance-view.ts'
import type { Handlers } from '../handler.ts'
import { instanceListing } from '../listings/traffic-listings.ts'
import type { Services } from '../services.ts'

type InstanceHandlers = Pick<
  Handlers,
  | 'listInstances'
  | 'getInstance'
  | 'restartInstance'
  | 'publishPort'
  | 'unpublishPort'
  | 'attachNetwork'
  | 'detachNetwork'
  | 'stopInstance'
  | 'getLogs'
  | 'exec'
  | 'getMetrics'
>

export const instanceHandlers = (services: Services, log: Logger): InstanceHandlers => {
  const { views, operations, agents, records, trafficChanges } = services
  return {
    listInstances: ({ query }) => instanceListing(views, trafficChanges, query),
    getInstance: ({ params }) => instanceView(views, requireInstance(views.state, params.id)),
    restartInstance: async ({ params, context }) =>
      instanceView(views, await operations.restartInstance(params.id, context)),
    publishPort: async ({ params: { id }, body, context, signal }) => {
      const { node } = requireInstance(views.state, id)
      const heard = node === undefined ? [] : await listeningPortsOf(agents, node, body, signal)
      return instanceView(views, await operations.publishPort(id, body, context, heard))
    },
    unpublishPort: async ({ params: { id, hostPort }, query, context }) =>
      instanceView(views, await operations.unpublishPort(id, { hostPort, ...query }, context)),
    attachNetwork: async ({ params, body: { name, address }, context }) => {
      const wanted = address === undefined ? { name } : { name, address }
      return instanceView(views, await operations.attachNetwork(params.id, wanted, context))
    },
    detachNetwork: async ({ params: { id, network }, context }) =>
      instanceView(views, await operations.detachNetwork(id, network, context)),
    stopInstance: async ({ params, context }) => instanceView(views, await operations.stopInstance(params.id, context)),
    getLogs: ({ query, signal }) => readInstanceLogs({ state: views.state, agents, query, signal }),
    getMetrics: async ({ query, signal }) => ({
      items: await gatherMetrics({ state: views.state, agents, query, signal, log }),
    }),
    exec: async ({ params, query, context, signal }, socket) => {
      const instance = requireInstance(views.state, params.id)
      const node = nodeOf(instance)
      const command = commandOf(query.command)
      await records.commit(context.actor, (tx) => {
        const { app, pool, id } = instance
        // The program only: arguments may hold secrets.
        tx.event({
          type: 'instance.exec',
          subject: { app, pool, instance: id, node },
          message: `${context.actor} runs ${JSON.stringify(command[0])} in ${id}`,
        })
      })
      const { tty, columns, rows } = query
      const stream = await agents.exec(node, instance.id, { command, tty, columns, rows, signal })
      await relayExec(socket, stream, (error) => log.debug({ err: error, instance: instance.id }, messageOf(error)))
    },
  }
}

export const commandOf = (command: string | string[] | undefined): string[] => {
  const words = typeof command === 'string' ? [command] : (command ?? [])
  return words.length === 0 ? ['/bin/sh'] : words
}

function nodeOf(instance: Instance): string {
  if (instance.node !== undefined) return instance.node
  throw new BerthError(
    'instance.not-running',
    `${instance.id} has no node yet: ${instance.unplaced ?? 'it is being placed'}`,
    {
      retryable: true,
    },
  )
}

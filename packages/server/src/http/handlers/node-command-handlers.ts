import { messageOf } from '@berth/core'
import type { Logger } from 'pino'
import { relayExec } from '../../exec/relay-exec.ts'
import { nodeView } from '../../views/node-view.ts'
import type { Handlers } from '../handler.ts'
import type { Services } from '../services.ts'
import { commandOf } from './instance-handlers.ts'

type NodeCommandHandlers = Pick<Handlers, 'execOnNode' | 'upgradeNode'>

/** What is done on a node itself, by its agent. */
export const nodeCommandHandlers = (
  { nodes, agents, records, views, nodeUpgrade }: Services,
  log: Logger,
): NodeCommandHandlers => ({
  upgradeNode: async ({ params: { name }, context, signal }) => {
    const { node, ...upgrade } = await nodeUpgrade.start(name, context, signal)
    return { node: nodeView(views, node), ...upgrade }
  },
  execOnNode: async ({ params: { name }, query, context, signal }, socket) => {
    nodes.require(name)
    const command = commandOf(query.command)
    await records.commit(context.actor, (tx) => {
      // The program only: arguments may hold secrets.
      const message = `${context.actor} runs ${JSON.stringify(command[0])} on ${name} itself`
      tx.event({ type: 'node.exec', subject: { node: name }, message })
    })
    const { tty, columns, rows } = query
    const stream = await agents.execOnNode(name, { command, tty, columns, rows, signal })
    await relayExec(socket, stream, (error) => log.debug({ err: error, node: name }, messageOf(error)))
  },
})

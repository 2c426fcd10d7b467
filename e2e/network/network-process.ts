/**
 * A node network in a process of its own, to be run inside a lab's host (`network-process.ts [CHECK_INTERVAL_MS [DRIVER]]`): reads calls as lines of JSON (`{"ensure": config}`, `{"check": {}}`,
 * `{"remove": {}}`) and answers each with a line (`{"value"}` or `{"code", "message"}`).
 */
import { createInterface } from 'node:readline'
import { createNetdFiles } from '@berth/agent/dns/netd-files'
import { createNodeNetwork, type EnsureOptions } from '@berth/agent/network/node-network'
import { BerthError, messageOf, type NetworkConfig, type NetworkDriver } from '@berth/core'
import pino from 'pino'

export interface NetworkCall {
  readonly ensure?: NetworkConfig
  readonly options?: Omit<EnsureOptions, 'signal'>
  readonly check?: Record<string, never>
  readonly remove?: Record<string, never>
}

export interface NetworkAnswer {
  readonly value?: readonly string[]
  readonly code?: string
  readonly message?: string
}

if (import.meta.main) {
  const network = createNodeNetwork({
    socketPath: '/run/docker.sock',
    log: pino({ level: 'debug' }, pino.destination({ fd: 2, sync: true })),
    checkIntervalMs: Number(process.argv[2] ?? 10_000),
    driver: (process.argv[3] ?? 'bridge') as NetworkDriver,
    netd: createNetdFiles('/var/lib/berth'),
  })
  const handle = async (call: NetworkCall): Promise<NetworkAnswer> => {
    try {
      if (call.ensure !== undefined) await network.ensure(call.ensure, call.options)
      if (call.remove !== undefined) await network.remove()
      return { value: call.check === undefined ? [] : await network.check() }
    } catch (error) {
      return { code: error instanceof BerthError ? error.code : 'unexpected', message: messageOf(error) }
    }
  }
  for await (const line of createInterface(process.stdin)) {
    process.stdout.write(`${JSON.stringify(await handle(JSON.parse(line) as NetworkCall))}\n`)
  }
  await network[Symbol.asyncDispose]()
}

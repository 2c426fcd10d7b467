import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { setTimeout as delay } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import { BerthError } from '@berth/core'
import { type ApiAddress, createApiClient } from './api-client.ts'
import { type EnrolledNodes, enrolNodes } from './enrol-nodes.ts'
import { SimulatedFleet } from './simulated-fleet.ts'

export const simulateUsage = `  simulate --nodes N --socket PATH              agents without Docker that speak to a real server, until Ctrl-C
      --server URL --token TOKEN --authority FILE   instead of --socket: by its address
      --host HOST         where the agent port is (default 127.0.0.1)
      --prefix TEXT       of the nodes' names (default sim-)
      --label KEY=VALUE   may be repeated; VALUE with a slash (a/b/c) goes round: node 1 gets a, node 2 b …
      --credentials FILE  certificates are kept in it, and what nodes have of their peers in FILE.peers, for the next call
      --start MS, --ready MS   how long containers take (default 200, 100)
      --json              a line of counts a second
`

const options = {
  nodes: { type: 'string', default: '10' },
  socket: { type: 'string' },
  server: { type: 'string' },
  token: { type: 'string' },
  authority: { type: 'string' },
  host: { type: 'string', default: '127.0.0.1' },
  prefix: { type: 'string', default: 'sim-' },
  label: { type: 'string', multiple: true },
  credentials: { type: 'string' },
  start: { type: 'string', default: '200' },
  ready: { type: 'string', default: '100' },
  json: { type: 'boolean', default: false },
} as const

/** `lab simulate`: enrols nodes, links them, and plays their containers until it is interrupted. */
export async function simulate(args: readonly string[]): Promise<number> {
  const { values } = parseArgs({ args: [...args], options })
  const count = positive('--nodes', values.nodes)
  const say = (what: object): void => console.log(values.json ? JSON.stringify(what) : describe(what))
  const { nodes, agentPort } = await credentialsFor(count, values, say)
  const pace = { startMs: positive('--start', values.start), readyMs: positive('--ready', values.ready) }
  const peersFile = values.credentials === undefined ? undefined : `${values.credentials}.peers`
  await using fleet = new SimulatedFleet({
    ...{ servers: [{ host: values.host, port: agentPort }], nodes, pace },
    peers: peersFrom(peersFile),
  })
  const stop = new AbortController()
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => stop.abort())
  const startedAt = performance.now()
  await Promise.race([fleet.start(), delay(2 ** 30, undefined, { signal: stop.signal }).catch(() => undefined)])
  say({ linked: fleet.linked, seconds: seconds(startedAt) })
  while (!stop.signal.aborted) {
    await delay(1000, undefined, { signal: stop.signal }).catch(() => undefined)
    if (values.json) say({ linked: fleet.linked, ...fleet.counts(), rssBytes: process.memoryUsage.rss() })
  }
  if (peersFile !== undefined) writeFileSync(peersFile, JSON.stringify(peersOf(fleet)))
  return 0
}

/** As agents have it on disk. */
const peersFrom = (file: string | undefined): Readonly<Record<string, string>> =>
  file !== undefined && existsSync(file) ? JSON.parse(readFileSync(file, 'utf8')) : {}

const peersOf = (fleet: SimulatedFleet): Readonly<Record<string, string>> =>
  Object.fromEntries(fleet.nodes.map(({ name, peers }) => [name, peers.description]))

type Values = ReturnType<typeof parseArgs<{ options: typeof options }>>['values']

/** Those of the file, or new ones. */
async function credentialsFor(count: number, values: Values, say: (what: object) => void): Promise<EnrolledNodes> {
  const { credentials: file, prefix = 'sim-', label = [] } = values
  if (file !== undefined && existsSync(file)) return JSON.parse(readFileSync(file, 'utf8')) as EnrolledNodes
  const startedAt = performance.now()
  const enrolled = await enrolNodes(createApiClient(addressOf(values)), { count, prefix, labels: labelsFrom(label) })
  say({ enrolled: count, seconds: seconds(startedAt) })
  if (file !== undefined) writeFileSync(file, JSON.stringify(enrolled), { mode: 0o600 })
  return enrolled
}

function addressOf({ socket, server, token, authority }: Values): ApiAddress {
  if (socket !== undefined) return { socketPath: socket }
  if (server !== undefined && token !== undefined && authority !== undefined)
    return { url: server, token, authorityFile: authority }
  throw new BerthError(
    'lab.usage',
    `say where the server is: --socket, or --server, --token and --authority\n${simulateUsage}`,
  )
}

/** `tier=a/b`: every other node is of each. */
export function labelsFrom(texts: readonly string[]): (index: number) => Record<string, string> {
  const parsed = texts.map((text) => {
    const [name = '', ...rest] = text.split('=')
    if (name === '' || rest.length === 0)
      throw new BerthError('lab.usage', `--label ${text}: write it as KEY=VALUE, or KEY=A/B/C`)
    return { name, choices: rest.join('=').split('/') }
  })
  return (index) => Object.fromEntries(parsed.map(({ name, choices }) => [name, choices[index % choices.length] ?? '']))
}

function positive(name: string, text: string | undefined): number {
  const value = Number(text)
  if (Number.isFinite(value) && value >= 0) return value
  throw new BerthError('lab.usage', `${name} ${text}: give a number`)
}

const seconds = (since: number): number => Math.round((performance.now() - since) / 100) / 10

const describe = (what: object): string =>
  Object.entries(what)
    .map(([name, value]) => `${name} ${value}`)
    .join(', ')

import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import { DiscoveryServer } from '../discovery/discovery-server.ts'
import { type Figure, type FigureContext, type FigureResult, median } from '../figure.ts'

const wantedPerSecond = 10_000
const seconds = 5
const runs = 5
const keys = 1_000

/** One server, one core of it: reads of single keys by 32 connections that are kept. */
export const figure: Figure = {
  name: 'consul-kv',
  description: `reads/s of one key of Consul's API, among ${keys}, by 32 connections`,
  unit: 'reads/s',
  peer: 'none',
  peerKind: 'none',
  target: `>= ${wantedPerSecond}`,
  run,
}

async function run({ signal, log }: FigureContext): Promise<FigureResult> {
  await using server = await DiscoveryServer.start()
  for (let key = 0; key < keys; key += 1) await server.put(`bench/${key}`, 'x'.repeat(100))
  const samples: number[] = []
  const recursive: number[] = []
  for (let run = 1; run <= runs && !signal.aborted; run += 1) {
    samples.push(await readsPerSecond(server.port, 'bench/500', signal))
    recursive.push(await readsPerSecond(server.port, 'bench/50?recurse', signal))
    log(`run ${run} of ${runs}: ${samples.at(-1)?.toFixed(0)}/s`)
  }
  const ours = median(samples)
  return {
    ...{ ours, peer: 0, ratio: ours, ok: ours >= wantedPerSecond, samples },
    notes: [`of eleven keys below a prefix: ${median(recursive).toFixed(0)}/s`],
  }
}

async function readsPerSecond(port: number, path: string, signal: AbortSignal): Promise<number> {
  const url = `http://127.0.0.1:${port}/v1/kv/${path}`
  const args = ['-t1', '-c32', `-d${seconds}s`, url]
  const { stdout } = await promisify(execFile)('wrk', args, { signal })
  if (/Non-2xx|Socket errors/.test(stdout)) throw new Error(`wrk ${url}: ${stdout}`)
  return Number(/Requests\/sec:\s+([\d.]+)/.exec(stdout)?.[1])
}

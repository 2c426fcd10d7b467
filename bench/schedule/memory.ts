import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import { Books } from '../../packages/core/src/index.ts'
import type { Figure, FigureContext, FigureResult } from '../figure.ts'
import { machine, ms, timed } from './measure.ts'
import { boundRule, mebibyte, mixedNodes, smallArrivals } from './workload.ts'

const nodes = 10_000
const apps = 10_000
const instances = 1_000_000
const wantedMebibytes = 1024

/** A process of its own that holds nothing else: all of its resident memory counts, runtime and garbage included. */
export const figure: Figure = {
  name: 'schedule-memory',
  description: `books of ${nodes} nodes and ${instances} instances of ${apps} apps, all of a process's memory`,
  unit: 'MiB',
  peer: 'the bound',
  peerKind: 'none',
  target: `<= ${wantedMebibytes} MiB`,
  run,
}

async function run({ signal }: FigureContext): Promise<FigureResult> {
  const argv = ['--expose-gc', import.meta.filename, 'measure']
  const { stdout } = await promisify(execFile)(process.execPath, argv, { signal, timeout: 300_000 })
  const { notes, residentMebibytes } = JSON.parse(stdout) as { residentMebibytes: number; notes: string[] }
  return {
    ours: residentMebibytes,
    peer: wantedMebibytes,
    ratio: residentMebibytes / wantedMebibytes,
    ok: residentMebibytes <= wantedMebibytes,
    samples: [residentMebibytes],
    notes: [...notes, machine()],
  }
}

function measure(): void {
  const collect = (): void => (globalThis as { gc?: () => void }).gc?.()
  collect()
  const before = process.memoryUsage()
  const books = new Books()
  books.putGroup('bound', boundRule)
  for (const node of mixedNodes(nodes, 7)) books.putNode(node)
  const source = smallArrivals(5, apps)
  const filled = timed(() => {
    for (let index = 0; index < instances; index++) {
      const request = source.next().value
      const decision = books.place(`${request.entrypoint.replaceAll('/', '.')}-${index}`, request)
      if (!decision.placed) throw new Error(decision.refusal.message)
    }
  })
  const peak = process.memoryUsage.rss()
  collect()
  const after = process.memoryUsage()
  const live = after.heapUsed + after.arrayBuffers - before.heapUsed - before.arrayBuffers
  const cloned = timed(() => books.clone().instanceCount)
  const notes = [
    `rate: ${Math.round(instances / (filled.wallMs / 1000))} placements/s, ${ms(filled.cpuMs)} of processor time`,
    `quality: ${books.instanceCount} instances, ${Math.round(live / instances)} bytes each (${Math.round(live / mebibyte)} MiB in use)`,
    `${Math.round(peak / mebibyte)} MiB before the last collection`,
    `a copy for what-if takes ${ms(cloned.wallMs)}`,
  ]
  const residentMebibytes = Math.max(peak, after.rss) / mebibyte
  process.stdout.write(JSON.stringify({ residentMebibytes, notes }))
}

if (import.meta.main) measure()

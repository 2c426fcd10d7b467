import { measureIdle } from '../cluster/idle-memory.ts'
import type { Figure } from '../figure.ts'

const [nodes, apps, replicas] = [1_000, 100, 1_000]
const maxBytes = 2_048

export const figure: Figure = {
  name: 'cluster-idle-memory',
  description: `resident memory of the server for each of ${apps * replicas} idle instances: all of it, less that of a server without them`,
  unit: 'bytes',
  peer: 'none',
  peerKind: 'none',
  target: `<= ${maxBytes}`,
  async run({ signal, log }) {
    const run = await measureIdle({ nodes, apps, replicas, signal, log })
    const bytes = (run.with.rssBytes - run.without.rssBytes) / run.count
    const anonymous = (run.with.anonymousBytes - run.without.anonymousBytes) / run.count
    const mebibytes = (each: number): number => Math.round(each / 1024 ** 2)
    return {
      ...{ ours: bytes, peer: maxBytes, ratio: bytes / maxBytes, ok: bytes <= maxBytes, samples: [bytes] },
      notes: [
        `RSS ${mebibytes(run.with.rssBytes)} MiB, ${mebibytes(run.without.rssBytes)} without instances; anonymous ${Math.round(anonymous)} bytes an instance`,
        `${run.cpuSeconds.toFixed(1)} s of processor time since the start; store ${mebibytes(run.storeBytes)} MiB`,
      ],
    }
  },
}

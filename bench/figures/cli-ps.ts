import { webApp } from '../../e2e/support/apps.ts'
import { Cluster } from '../../e2e/support/cluster.ts'
import { type Figure, median, percentile } from '../figure.ts'

const runs = 40

/** The whole process, from its start to its end, inside the host, with `docker ps` of as many containers beside it. */
export const figure: Figure = {
  name: 'cli-ps',
  description: 'berth ps, from key press to prompt',
  unit: 'ms',
  peer: 'docker ps of the same containers',
  target: 'ours <= 120 ms',
  async run() {
    await using cluster = await Cluster.start()
    const repository = await cluster.repository('shop', webApp({ replicas: 10 }))
    await cluster.mustBerth(['deploy', 'shop', '--repository', repository.path])
    const ours: number[] = []
    const peer: number[] = []
    const empty: number[] = []
    for (let run = 0; run < runs; run++) {
      ours.push(await timed(() => cluster.mustBerth(['ps'])))
      peer.push(await timed(() => cluster.first.exec(['docker', 'ps'])))
      empty.push(await timed(() => cluster.first.exec(['true'])))
    }
    const entry = median(empty)
    const own = median(ours) - entry
    const theirs = median(peer) - entry
    const notes = [
      `entering the host costs ${entry.toFixed(0)} ms and is subtracted; p95 ${(percentile(ours, 95) - entry).toFixed(0)} ms`,
    ]
    return {
      ours: own,
      peer: theirs,
      ratio: own / theirs,
      ok: own <= 120,
      samples: ours.map((each) => each - entry),
      notes,
    }
  },
}

async function timed(work: () => Promise<unknown>): Promise<number> {
  const started = performance.now()
  await work()
  return performance.now() - started
}

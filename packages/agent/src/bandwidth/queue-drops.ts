import { type Qdisc, queueDrops, type ShapedLink } from '@berth/core'
import type { LimitDrops } from '../metrics/counters.ts'
import { type Exec, mustRun } from '../network/run-command.ts'

/** What queues of limits dropped, by instance, as it was when it was read last. */
export class QueueDrops {
  readonly #exec: Exec
  #drops: ReadonlyMap<string, LimitDrops> = new Map()

  constructor(exec: Exec) {
    this.#exec = exec
  }

  /** Nothing is asked of the kernel where there are no queues. Throws `network.command-failed`; what was known stays. */
  async read(links: ReadonlyMap<string, ShapedLink>, signal?: AbortSignal): Promise<void> {
    if (links.size === 0) {
      this.#drops = new Map()
      return
    }
    const qdiscs = JSON.parse(
      await mustRun(this.#exec, 'tc', ['-json', '-statistics', 'qdisc', 'show'], { signal }),
    ) as Qdisc[]
    this.#drops = new Map(
      [...links].map(([instance, link]) => {
        const drops = queueDrops(link, qdiscs)
        return [instance, { networkInLimitDrops: drops.in, networkOutLimitDrops: drops.out }]
      }),
    )
  }

  of(instance: string): LimitDrops | undefined {
    return this.#drops.get(instance)
  }
}

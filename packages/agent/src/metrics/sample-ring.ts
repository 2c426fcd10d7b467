import type { SampleView } from '@berth/api'

const fields = [
  'at',
  'cpuMilli',
  'throttledMilli',
  'throttledPeriodsMilli',
  'memoryBytes',
  'networkInBytes',
  'networkOutBytes',
  'networkInPackets',
  'networkOutPackets',
  'networkInErrors',
  'networkOutErrors',
  'networkInDrops',
  'networkOutDrops',
  'networkInLimitDrops',
  'networkOutLimitDrops',
  'blockReadBytes',
  'blockWriteBytes',
  'tcpConnections',
] as const satisfies readonly (keyof SampleView)[]

/** The last samples, 144 bytes each; the oldest gives way to the newest. */
export class SampleRing {
  readonly #values: Float64Array
  readonly #capacity: number
  #count = 0
  /** Where the next one goes. */
  #next = 0

  constructor(capacity: number) {
    this.#capacity = capacity
    this.#values = new Float64Array(capacity * fields.length)
  }

  push(sample: SampleView): void {
    for (const [index, field] of fields.entries()) this.#values[this.#next * fields.length + index] = sample[field] ?? 0
    this.#next = (this.#next + 1) % this.#capacity
    this.#count = Math.min(this.#count + 1, this.#capacity)
  }

  /** Oldest first, those with `at` after `sinceMs`. */
  since(sinceMs: number): SampleView[] {
    const samples: SampleView[] = []
    for (let index = 0; index < this.#count; index++) {
      const slot = (this.#next - this.#count + index + this.#capacity) % this.#capacity
      if ((this.#values[slot * fields.length] ?? 0) > sinceMs) samples.push(this.#read(slot))
    }
    return samples
  }

  #read(slot: number): SampleView {
    const value = (index: number): number => this.#values[slot * fields.length + index] ?? 0
    return Object.fromEntries(fields.map((field, index) => [field, value(index)])) as SampleView
  }
}

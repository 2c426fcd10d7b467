import { readFileSync } from 'node:fs'
import { availableParallelism } from 'node:os'

/** Of clock ticks in `/proc/stat`, which are hundredths of a second on every Linux that Node.js runs on. */
const tickMs = 10

/** What all processors of this machine have worked since its start, in programs, kernel and interrupts. Every host of a lab is in it, and whatever else runs. */
export function processorMs(): number {
  const [, user = 0, nice = 0, system = 0, , , irq = 0, softirq = 0] = (
    readFileSync('/proc/stat', 'utf8').split('\n')[0] ?? ''
  )
    .split(/\s+/)
    .map(Number)
  return (user + nice + system + irq + softirq) * tickMs
}

/** What this machine did besides, for a figure's notes: whether to believe it. */
export const loadNote = (): string =>
  `load of the machine at the end: ${readFileSync('/proc/loadavg', 'utf8').split(' ').slice(0, 3).join(' ')} on ${availableParallelism()} processors`

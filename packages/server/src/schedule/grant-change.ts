import { formatBytes, formatCpu, type Instance } from '@berth/core'

type Granted = Pick<Instance, 'cpuMilli' | 'memoryBytes' | 'cores'>

/** `more`: what else has changed. `cpu 1 → 1.5 (cores 2,3:500 → 2,3:500,…), memory 512Mi → 1Gi` */
export function grantChange(before: Granted, after: Granted, more: readonly string[] = []): string {
  const cores = before.cores === after.cores ? '' : ` (cores ${before.cores ?? 'none'} → ${after.cores ?? 'none'})`
  const cpu = before.cpuMilli === after.cpuMilli ? '' : `cpu ${cpuText(before)} → ${cpuText(after)}`
  const memory = before.memoryBytes === after.memoryBytes ? '' : `memory ${memoryText(before)} → ${memoryText(after)}`
  return [`${cpu}${cores}`, memory, ...more].filter((part) => part !== '').join(', ') || 'the same grant'
}

const cpuText = ({ cpuMilli = 0 }: Granted): string => formatCpu(cpuMilli)
const memoryText = ({ memoryBytes = 0 }: Granted): string => formatBytes(memoryBytes)

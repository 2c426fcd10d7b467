const binary = ['B', 'KiB', 'MiB', 'GiB', 'TiB'] as const

/** `1.5 GiB`; whole numbers from 100 up. */
export function formatBytes(bytes: number): string {
  let value = Math.max(0, bytes)
  let unit = 0
  while (value >= 1024 && unit < binary.length - 1) {
    value /= 1024
    unit += 1
  }
  return `${shorten(value, unit === 0)} ${binary[unit]}`
}

const decimal = ['bit/s', 'kbit/s', 'Mbit/s', 'Gbit/s'] as const

/** `12.3 Mbit/s`: what was measured. */
export function formatRate(bitsPerSecond: number): string {
  let value = Math.max(0, bitsPerSecond)
  let unit = 0
  while (value >= 1000 && unit < decimal.length - 1) {
    value /= 1000
    unit += 1
  }
  return `${shorten(value, unit === 0)} ${decimal[unit]}`
}

/** `1.25` cores. */
export const formatCores = (milli: number): string => String(Number((milli / 1000).toFixed(milli < 100 ? 3 : 2)))

/** `0.5 · 512 MiB`: what an instance asks for. */
export function sizeText({ cpuMilli, memoryBytes }: Sizes): string {
  const parts = [
    cpuMilli === undefined ? undefined : formatCores(cpuMilli),
    memoryBytes === undefined ? undefined : formatBytes(memoryBytes),
  ]
  return parts.filter((part) => part !== undefined).join(' · ') || '–'
}

interface Sizes {
  readonly cpuMilli?: number | undefined
  readonly memoryBytes?: number | undefined
}

/** `1.2 s`, `3 min 20 s`, `2 h 5 min`, `4 d`. */
export function formatDuration(ms: number): string {
  const seconds = Math.max(0, ms) / 1000
  if (seconds < 10) return `${shorten(Math.floor(seconds * 10) / 10, false)} s`
  if (seconds < 60) return `${Math.floor(seconds)} s`
  const parts = (big: number, bigUnit: string, small: number, smallUnit: string): string =>
    small === 0 ? `${big} ${bigUnit}` : `${big} ${bigUnit} ${small} ${smallUnit}`
  const minutes = Math.floor(seconds / 60)
  if (minutes < 60) return parts(minutes, 'min', minutes < 10 ? Math.floor(seconds % 60) : 0, 's')
  const hours = Math.floor(minutes / 60)
  if (hours < 24) return parts(hours, 'h', hours < 10 ? minutes % 60 : 0, 'min')
  const days = Math.floor(hours / 24)
  return parts(days, 'd', days < 10 ? hours % 24 : 0, 'h')
}

export const formatPercent = (part: number, whole: number): string =>
  whole <= 0 ? '0 %' : `${Math.round((100 * part) / whole)} %`

function shorten(value: number, whole: boolean): string {
  if (whole) return String(Math.round(value))
  return String(Number(value.toFixed(value >= 100 ? 0 : 1)))
}

/** `3s`, `4m12s`, `2h5m`, `3d4h`: how long ago, in at most two parts. */
export function formatAge(ms: number): string {
  const seconds = Math.max(0, Math.floor(ms / 1000))
  if (seconds < 60) return `${seconds}s`
  const minutes = Math.floor(seconds / 60)
  if (minutes < 10) return `${minutes}m${seconds % 60}s`
  if (minutes < 60) return `${minutes}m`
  const hours = Math.floor(minutes / 60)
  if (hours < 24) return `${hours}h${minutes % 60}m`
  return `${Math.floor(hours / 24)}d${hours % 24}h`
}

export function formatBytes(bytes: number): string {
  const units = ['B', 'Ki', 'Mi', 'Gi', 'Ti']
  let value = bytes
  let unit = 0
  while (value >= 1024 && unit < units.length - 1) {
    value /= 1024
    unit += 1
  }
  return `${value >= 100 || unit === 0 ? Math.round(value) : Math.round(value * 10) / 10}${units[unit]}`
}

/** `0`, `0.3`, `12.5`, `1280`: a second. */
export function formatRate(perSecond: number): string {
  return String(perSecond >= 100 ? Math.round(perSecond) : Math.round(perSecond * 10) / 10)
}

/** `0.8ms`, `12ms`, `1.3s`. */
export function formatMs(ms: number): string {
  if (ms >= 1_000) return `${Math.round(ms / 100) / 10}s`
  return `${ms >= 10 ? Math.round(ms) : Math.round(ms * 10) / 10}ms`
}

export const formatCores = (milli: number): string => String(Math.round(milli) / 1000)

export const shortImage = (image: string): string => image.replace(/^sha256:/, '').slice(0, 12)

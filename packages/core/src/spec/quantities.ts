import { type Parsed, parsed, refused } from './spec-issue.ts'

/**
 * Amounts as people write them. All arithmetic is on decimal digits and integers: 0.29 cores are exactly 290 thousandths, never a
 * float's 28.999….
 */
const decimal = /^([0-9]{1,15})(?:\.([0-9]{1,15}))?$/
const maxCpuMilli = 10_000_000

/** `2`, `0.5`, `1.3`: cores, in steps of 0.001 → thousandths of a core. */
export function parseCpu(text: string): Parsed<number> {
  const match = decimal.exec(text)
  if (match === null) return refuseCpu(text)
  const fraction = (match[2] ?? '').replace(/0+$/, '')
  if (fraction.length > 3) {
    const cut = `${match[1]}.${fraction.slice(0, 3)}`
    const useful = Number(cut) > 0
    return refused(
      `${text} cores is finer than the smallest step, 0.001`,
      `write ${useful ? trimDecimal(cut) : '0.001'}`,
    )
  }
  const cpuMilli = Number(`${match[1]}${fraction.padEnd(3, '0')}`)
  if (cpuMilli === 0) return refused('0 cores is too little: at least 0.001 is needed')
  if (cpuMilli > maxCpuMilli) return refused(`${text} cores is more than any machine has (at most 10000)`)
  return parsed(cpuMilli)
}

function refuseCpu(text: string): Parsed<never> {
  if (/^-/.test(text)) return refused(`${text} cores: an amount of CPU cannot be negative`)
  const milli = /^([0-9]{1,9})m$/.exec(text)
  if (milli !== null) return refused(`"${text}": CPU is written in cores`, `write ${formatCpu(Number(milli[1]))}`)
  const comma = /^([0-9]{1,9}),([0-9]{1,9})$/.exec(text)
  if (comma !== null) return refused(`"${text}": decimals come after a point`, `write ${comma[1]}.${comma[2]}`)
  const bare = /^\.([0-9]{1,9})$/.exec(text)
  if (bare !== null) return refused(`"${text}": a digit is missing before the point`, `write 0.${bare[1]}`)
  return refused(`${quote(text)} is not an amount of CPU: write cores, such as 2, 0.5 or 1.3`)
}

/** 1300 → `1.3` */
export function formatCpu(cpuMilli: number): string {
  const digits = String(cpuMilli).padStart(4, '0')
  return trimDecimal(`${digits.slice(0, -3)}.${digits.slice(-3)}`)
}

const trimDecimal = (text: string): string => text.replace(/\.?0+$/, '')

const byteUnits: readonly (readonly [string, bigint])[] = [
  ['Ti', 1n << 40n],
  ['Gi', 1n << 30n],
  ['Mi', 1n << 20n],
  ['Ki', 1n << 10n],
  ['T', 1_000_000_000_000n],
  ['G', 1_000_000_000n],
  ['M', 1_000_000n],
  ['k', 1000n],
]
const byteUnit = new Map(byteUnits)

/** `512Mi`, `1.5Gi`, `100M` (decimal), `4096B` → bytes. A unit is asked for, since a bare number is a mistake more often than not. */
export function parseBytes(text: string): Parsed<number> {
  const match = /^([0-9]{1,18})(?:\.([0-9]{1,18}))?(?:([KMGT]i|[kMGT])B?|B)$/.exec(text)
  if (match === null) return refuseBytes(text)
  const fraction = match[2] ?? ''
  const unit = match[3] === undefined ? 1n : byteUnit.get(match[3])!
  const scale = 10n ** BigInt(fraction.length)
  const scaled = BigInt(`${match[1]}${fraction}`) * unit
  if (scaled % scale !== 0n) return refused(`${text} is not a whole number of bytes`)
  const bytes = scaled / scale
  if (bytes > BigInt(Number.MAX_SAFE_INTEGER)) return refused(`${text} is more than any machine has`)
  return parsed(Number(bytes))
}

const bitUnits: readonly (readonly [string, bigint])[] = [
  ['Gbit', 1_000_000_000n],
  ['Mbit', 1_000_000n],
  ['kbit', 1000n],
]
const leastBits = 100_000n
const mostBits = 1_000_000_000_000n

/** `200Mbit`, `1.5Gbit`, `500kbit` → bits per second, in powers of ten as networks count. */
export function parseBandwidth(text: string): Parsed<number> {
  const match = /^([0-9]{1,15})(?:\.([0-9]{1,15}))?([kMG]bit)$/.exec(text)
  if (match === null) return refuseBandwidth(text)
  const fraction = match[2] ?? ''
  const scale = 10n ** BigInt(fraction.length)
  const scaled = BigInt(`${match[1]}${fraction}`) * bitUnits.find(([name]) => name === match[3])![1]
  if (scaled % scale !== 0n) return refused(`${text} is not a whole number of bits per second`)
  const bits = scaled / scale
  if (bits < leastBits) return refused(`${text} is too little: at least 100kbit is needed`)
  if (bits > mostBits) return refused(`${text} is more than any machine has (at most 1000Gbit)`)
  return parsed(Number(bits))
}

function refuseBandwidth(text: string): Parsed<never> {
  if (/^-/.test(text)) return refused(`${text}: a bandwidth cannot be negative`)
  const match = /^([0-9]{1,15}(?:\.[0-9]{1,15})?) {0,9}([A-Za-z/]{0,20})$/.exec(text)
  if (match === null) return refused(`${quote(text)} is no bandwidth: write one such as 200Mbit or 1Gbit`)
  const [, amount = '', unit = ''] = match
  if (unit === '') return refused(`${text}: a bandwidth needs a unit`, `write ${amount}Mbit`)
  if (/^[kKMG]i?B/.test(unit))
    return refused(`"${text}": bandwidth is told in bits per second, eight times the bytes`, 'write such as 200Mbit')
  const meant = /^(k|m|g)((bit|b)(\/s|ps|it\/s)?)?$/i.exec(unit)?.[1]?.toLowerCase()
  const near = meant === undefined ? undefined : { k: 'kbit', m: 'Mbit', g: 'Gbit' }[meant]
  return refused(
    `"${text}": there is no unit "${unit}" of bandwidth (kbit, Mbit, Gbit)`,
    near && `write ${amount}${near}`,
  )
}

/** 200000000 → `200Mbit`: the largest unit that leaves a whole number. */
export function formatBandwidth(bitsPerSecond: number): string {
  const bits = BigInt(Math.round(bitsPerSecond))
  for (const [name, size] of bitUnits) if (bits > 0n && bits % size === 0n) return `${bits / size}${name}`
  return `${bits}bit`
}

/** `1`, `10G`, `512Ki`: a whole number of anything, above 0. */
export function parseQuantity(text: string): Parsed<number> {
  const match = /^([0-9]{1,18})([KMGT]i|[kMGT])?$/.exec(text)
  if (match === null) {
    if (/^-/.test(text)) return refused(`${text}: an amount cannot be negative`)
    return refused(`${quote(text)} is no amount: write a whole number, such as 1 or 10G`)
  }
  const amount = BigInt(match[1]!) * (match[2] === undefined ? 1n : byteUnit.get(match[2])!)
  if (amount === 0n) return refused('0 is too little: at least 1 is needed', 'leave it out')
  if (amount > BigInt(Number.MAX_SAFE_INTEGER)) return refused(`${text} is more than can be counted`)
  return parsed(Number(amount))
}

/** `70%`, `33.3%` → thousandths. */
export function parseShare(text: string): Parsed<number> {
  const match = /^([0-9]{1,3})(?:\.([0-9]))?%$/.exec(text)
  const share = match === null ? Number.NaN : Number(match[1]) * 10 + Number(match[2] ?? 0)
  if (share > 0 && share <= 1000) return parsed(share)
  const bare = /^[0-9]{1,3}(\.[0-9])?$/.test(text) ? `write ${text}%` : undefined
  return refused(`${quote(text)} is no share: write one such as 70% or 33.3%`, bare)
}

/** 700 → `70%` */
export const formatShare = (thousandths: number): string =>
  `${trimDecimal(`${Math.floor(thousandths / 10)}.${thousandths % 10}`)}%`

function refuseBytes(text: string): Parsed<never> {
  if (/^-/.test(text)) return refused(`${text}: a size cannot be negative`)
  const match = /^([0-9]{1,18}(?:\.[0-9]{1,18})?) {0,9}([A-Za-z]{0,20})$/.exec(text)
  if (match === null) return refused(`${quote(text)} is not a size: write one such as 512Mi or 2Gi`)
  const [, amount = '', unit = ''] = match
  if (unit === '') return refused(`${text}: a size needs a unit`, `write ${amount}Mi`)
  const letter = unit[0]!.toUpperCase()
  if (!'KMGT'.includes(letter)) return refused(`"${text}": there is no unit "${unit}" of size (Ki, Mi, Gi, Ti)`)
  return refused(`"${text}": there is no unit "${unit}" of size`, `write ${amount}${letter}i`)
}

/** 536870912 → `512Mi`: the largest unit that leaves a whole number; 0 → `0B`. */
export function formatBytes(bytes: number): string {
  for (const [name, size] of byteUnits.slice(0, 4)) {
    if (bytes > 0 && BigInt(bytes) % size === 0n) return `${BigInt(bytes) / size}${name}`
  }
  return `${bytes}B`
}

const durationUnits = { d: 86_400_000n, h: 3_600_000n, m: 60_000n, s: 1000n, ms: 1n } as const
type DurationUnit = keyof typeof durationUnits
const maxDurationMs = 10n * 365n * durationUnits.d

/** `30s`, `1h30m`, `1.5s`, `250ms`, `0` → milliseconds. */
export function parseDuration(text: string): Parsed<number> {
  if (text === '0') return parsed(0)
  const parts = [...text.slice(0, 100).matchAll(/([0-9]{1,18})(?:\.([0-9]{1,18}))?(ms|[dhms])/gy)]
  if (parts.length === 0 || parts.reduce((length, [all]) => length + all.length, 0) !== text.length)
    return refuseDuration(text)
  let total = 0n
  let smallest = durationUnits.d + 1n
  for (const [, whole = '', fraction = '', unit = ''] of parts) {
    const size = durationUnits[unit as DurationUnit]
    if (size >= smallest) return refused(`"${text}": units go from large to small, each once, such as 1h30m`)
    smallest = size
    const scale = 10n ** BigInt(fraction.length)
    const scaled = BigInt(`${whole}${fraction}`) * size
    if (scaled % scale !== 0n) return refused(`${text} is finer than the smallest step, 1ms`)
    total += scaled / scale
  }
  if (total > maxDurationMs) return refused(`${text} is longer than ten years`)
  return parsed(Number(total))
}

const spokenUnits: readonly (readonly [RegExp, DurationUnit])[] = [
  [/^(ms|msecs?|millis|milliseconds?)$/, 'ms'],
  [/^(s|secs?|seconds?)$/, 's'],
  [/^(m|mins?|minutes?)$/, 'm'],
  [/^(h|hrs?|hours?)$/, 'h'],
  [/^(d|days?)$/, 'd'],
]

function refuseDuration(text: string): Parsed<never> {
  if (/^-/.test(text)) return refused(`${text}: a duration cannot be negative`)
  const match = /^([0-9]{1,18}(?:\.[0-9]{1,18})?) {0,9}([A-Za-z]{0,20})$/.exec(text)
  if (match === null) return refused(`${quote(text)} is not a duration: write one such as 30s, 5m or 250ms`)
  const [, amount = '', unit = ''] = match
  if (unit === '') return refused(`${text}: a duration needs a unit`, `write ${amount}s`)
  const meant = spokenUnits.find(([pattern]) => pattern.test(unit.toLowerCase()))?.[1]
  return refused(`"${text}": there is no unit "${unit}" of time (ms, s, m, h, d)`, meant && `write ${amount}${meant}`)
}

/** 90000 → `90s`, 5400000 → `90m`: the largest unit that leaves a whole number; 0 → `0s`. */
export function formatDuration(durationMs: number): string {
  if (durationMs === 0) return '0s'
  for (const [unit, size] of Object.entries(durationUnits)) {
    if (durationMs % Number(size) === 0) return `${durationMs / Number(size)}${unit}`
  }
  return `${durationMs}ms`
}

const quote = (text: string): string => JSON.stringify(text.length > 60 ? `${text.slice(0, 60)}…` : text)

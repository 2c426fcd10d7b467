import { BerthError, parseBytes } from '@berth/core'

export interface ImageLimitWords {
  readonly takes?: string | undefined
  readonly gives?: string | undefined
  readonly rate?: string | undefined
}

export interface ImageLimitsChange {
  takes?: number | null
  gives?: number | null
  bytesPerSecond?: number | null
}

/** `none` takes one back. `prefix`: of the options, for what is said about them. */
export function imagesOf({ takes, gives, rate }: ImageLimitWords, prefix = ''): { images?: ImageLimitsChange } {
  const images: ImageLimitsChange = {
    ...(takes === undefined ? {} : { takes: countOf(takes, `--${prefix}takes`) }),
    ...(gives === undefined ? {} : { gives: countOf(gives, `--${prefix}gives`) }),
    ...(rate === undefined ? {} : { bytesPerSecond: rateOf(rate, `--${prefix}rate`) }),
  }
  return Object.keys(images).length === 0 ? {} : { images }
}

function countOf(text: string, option: string): number | null {
  if (text === 'none') return null
  if (/^([1-9][0-9]?|100)$/.test(text)) return Number(text)
  throw new BerthError('usage.images', `${option} ${text}: write a whole number from 1 to 100, or none`)
}

function rateOf(text: string, option: string): number | null {
  if (text === 'none') return null
  const read = parseBytes(text)
  if (read.ok && read.value >= 65_536) return read.value
  const why = read.ok ? 'at least 64Ki a second are needed' : read.message
  throw new BerthError('usage.images', `${option} ${text}: ${why}; write a size such as 50Mi, or none`)
}

import { BerthError } from '@berth/core'
import { InvalidArgumentError } from 'commander'

/** For options that count something: the server would refuse anything else, but by the name of its own field. */
export function wholeNumber(text: string): string {
  if (/^\d{1,9}$/.test(text)) return text
  throw new InvalidArgumentError('Write a whole number.')
}

export const plural = (count: number, noun: string): string => `${count} ${noun}${count === 1 ? '' : 's'}`

export function labelOf(text: string): { name: string; value: string } {
  const at = text.indexOf('=')
  if (at < 1) throw new BerthError('usage.value', `--label ${text}: write e.g. rack=r7`)
  return { name: text.slice(0, at), value: text.slice(at + 1) }
}

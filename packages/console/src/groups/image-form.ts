import type { CallInput } from '@berth/api/client'
import type { NodeView } from '@berth/api/node-resources'
import { BerthError } from '@berth/core/model/berth-error'
import { formatBytes, parseBytes } from '@berth/core/spec/quantities'

/** How images are taken and given, as somebody writes it; what is empty is not said. */
export interface ImageForm {
  readonly takes: string
  readonly gives: string
  readonly rate: string
}

export const emptyImages: ImageForm = { takes: '', gives: '', rate: '' }

export const imageFormOf = ({ takes, gives, bytesPerSecond }: NonNullable<NodeView['images']> = {}): ImageForm => ({
  takes: takes === undefined ? '' : String(takes),
  gives: gives === undefined ? '' : String(gives),
  rate: bytesPerSecond === undefined ? '' : formatBytes(bytesPerSecond),
})

type Change = NonNullable<NonNullable<CallInput<'updateNode'>['body']>['images']>

/** null: as it is without. Throws `group.invalid` where the rate is no size. */
export const imageChangeOf = ({ takes, gives, rate }: ImageForm): Change => ({
  takes: takes.trim() === '' ? null : Number(takes),
  gives: gives.trim() === '' ? null : Number(gives),
  bytesPerSecond: rate.trim() === '' ? null : rateOf(rate.trim()),
})

function rateOf(text: string): number {
  const read = parseBytes(text)
  if (read.ok) return read.value
  throw new BerthError('group.invalid', [read.message, read.suggestion].filter(Boolean).join('; '))
}

import type { CallInput } from '@berth/api/client'
import type { GroupView } from '@berth/api/scheduling-resources'
import { BerthError } from '@berth/core/model/berth-error'
import { formatBytes, formatCpu, parseBytes, parseCpu } from '@berth/core/spec/quantities'
import type { Parsed } from '@berth/core/spec/spec-issue'

import { emptyImages, type ImageForm, imageChangeOf, imageFormOf } from './image-form.ts'

/** The rules of a group as somebody writes them; what is empty is not said. */
export interface GroupForm {
  readonly name: string
  readonly cpu: GroupView['cpu']
  readonly shareBase: GroupView['shareBase']
  readonly maxSharedCores: string
  readonly oversell: string
  readonly quotaCpu: string
  readonly quotaMemory: string
  /** With commas between them. */
  readonly owners: string
  /** Without it everybody may. */
  readonly limited: boolean
  readonly approveAbove: string
  readonly approvers: string
  /** How many move at a time when a node joins; empty: none. */
  readonly rebalanceOnJoin: string
  readonly images: ImageForm
}

export const emptyForm: GroupForm = {
  name: '',
  cpu: 'bound',
  shareBase: 10,
  maxSharedCores: '',
  oversell: '1',
  quotaCpu: '',
  quotaMemory: '',
  owners: '',
  limited: false,
  approveAbove: '',
  approvers: '',
  rebalanceOnJoin: '',
  images: emptyImages,
}

export function formOf(group: GroupView): GroupForm {
  const { name, cpu, shareBase, maxSharedCores, oversellMilli, quota } = group
  const { allowedOwners, memoryApproval, rebalanceOnJoin, images } = group
  return {
    name,
    cpu,
    shareBase,
    maxSharedCores: maxSharedCores === undefined ? '' : String(maxSharedCores),
    oversell: formatCpu(oversellMilli),
    quotaCpu: quota?.cpuMilli === undefined ? '' : formatCpu(quota.cpuMilli),
    quotaMemory: quota?.memoryBytes === undefined ? '' : formatBytes(quota.memoryBytes),
    owners: allowedOwners?.join(', ') ?? '',
    limited: allowedOwners !== undefined,
    approveAbove: memoryApproval === undefined ? '' : formatBytes(memoryApproval.aboveBytes),
    approvers: memoryApproval?.approvers.join(', ') ?? '',
    rebalanceOnJoin: rebalanceOnJoin === undefined ? '' : String(rebalanceOnJoin.disruption),
    images: imageFormOf(images),
  }
}

type Rules = NonNullable<CallInput<'updateGroup'>['body']>

/** All rules as they shall be; null: there is none. Throws `group.invalid` where something is no amount. */
export function rulesOf(form: GroupForm): Rules {
  const cpuMilli = amountOf(form.quotaCpu, parseCpu)
  const memoryBytes = amountOf(form.quotaMemory, parseBytes)
  const aboveBytes = amountOf(form.approveAbove, parseBytes)
  const quota = {
    ...(cpuMilli === undefined ? {} : { cpuMilli }),
    ...(memoryBytes === undefined ? {} : { memoryBytes }),
  }
  return {
    cpu: form.cpu,
    shareBase: form.shareBase,
    oversellMilli: amountOf(form.oversell, parseCpu) ?? 1000,
    maxSharedCores: form.cpu === 'shared' || form.maxSharedCores === '' ? null : Number(form.maxSharedCores),
    quota: Object.keys(quota).length === 0 ? null : quota,
    allowedOwners: form.limited ? wordsOf(form.owners) : null,
    memoryApproval: aboveBytes === undefined ? null : { aboveBytes, approvers: wordsOf(form.approvers) },
    rebalanceOnJoin: form.rebalanceOnJoin === '' ? null : { disruption: Number(form.rebalanceOnJoin) },
    images: imageChangeOf(form.images),
  }
}

/** Only what differs, so that two who change different rules do not undo each other. */
export function changesOf(before: GroupForm, after: GroupForm): Rules {
  const was = rulesOf(before)
  const changed = Object.entries(rulesOf(after)).filter(
    ([name, value]) => JSON.stringify(value) !== JSON.stringify(was[name as keyof Rules]),
  )
  return Object.fromEntries(changed)
}

/** For a group that is made: what is not said is left out. */
export function newRulesOf(form: GroupForm): Omit<NonNullable<CallInput<'createGroup'>['body']>, 'name'> {
  const { images, ...rules } = rulesOf(form)
  const said = Object.entries(images ?? {}).some(([, value]) => value !== null) ? { images } : {}
  return { ...Object.fromEntries(Object.entries(rules).filter(([, value]) => value !== null)), ...said }
}

function amountOf(text: string, parse: (text: string) => Parsed<number>): number | undefined {
  if (text.trim() === '') return undefined
  const read = parse(text.trim())
  if (read.ok) return read.value
  throw new BerthError('group.invalid', [read.message, read.suggestion].filter(Boolean).join('; '))
}

const wordsOf = (text: string): string[] =>
  text
    .split(',')
    .map((word) => word.trim())
    .filter((word) => word !== '')

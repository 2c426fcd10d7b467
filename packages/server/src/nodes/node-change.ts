import {
  BerthError,
  changedImageLimits,
  defaultGroupName,
  formatTaint,
  type ImageLimitsChange,
  imageLimitsText,
  isName,
  type Node,
  nameRule,
  parseTaint,
  type Taint,
} from '@berth/core'
import { checkAddress } from './address.ts'
import { checkLabels } from './labels.ts'

/** What is not given stays. */
export interface NodeChange {
  /** null removes a label. */
  readonly labels?: Readonly<Record<string, string | null>> | undefined
  readonly schedulable?: boolean | undefined
  readonly group?: string | undefined
  readonly address?: string | undefined
  readonly speedMilli?: number | undefined
  /** By key; an empty value is none, null removes the taint. */
  readonly taints?: Readonly<Record<string, string | null>> | undefined
  /** null removes a resource. */
  readonly resources?: Readonly<Record<string, number | readonly string[] | null>> | undefined
  readonly images?: ImageLimitsChange | undefined
}

const fullSpeedMilli = 1000
const maxTaints = 64
const maxResources = 64
const maxNames = 1024

/** Throws `node.invalid-label`, `node.invalid-address`, `node.invalid-taint`, `node.invalid-resource`. */
export function changedNode(before: Node, change: NodeChange): Node {
  const { group: _group, speedMilli: _speed, taints: _taints, resources: _resources, images: _images, ...rest } = before
  const labels = withoutNull({ ...before.labels, ...change.labels })
  checkLabels(labels)
  const address = change.address ?? before.address
  checkAddress({ name: before.name, address })
  const group = change.group ?? before.group ?? defaultGroupName
  const speedMilli = change.speedMilli ?? before.speedMilli ?? fullSpeedMilli
  const taints = changedTaints(before.taints ?? [], change.taints ?? {})
  const resources = changedResources(before.resources ?? {}, change.resources ?? {})
  const images = changedImageLimits(before.images, change.images ?? {})
  return {
    ...rest,
    labels,
    address,
    schedulable: change.schedulable ?? before.schedulable,
    ...(group === defaultGroupName ? {} : { group }),
    ...(speedMilli === fullSpeedMilli ? {} : { speedMilli }),
    ...(taints.length === 0 ? {} : { taints }),
    ...(Object.keys(resources).length === 0 ? {} : { resources }),
    ...(images === undefined ? {} : { images }),
  }
}

function changedTaints(before: readonly Taint[], change: NonNullable<NodeChange['taints']>): Taint[] {
  const byKey = new Map(before.map((taint) => [taint.key, taint]))
  for (const [key, value] of Object.entries(change)) {
    const taint = parseTaint(value === null || value === '' ? key : `${key}=${value}`)
    if (!taint.ok) throw new BerthError('node.invalid-taint', taint.message)
    if (value === null) byKey.delete(key)
    else byKey.set(key, taint.value)
  }
  if (byKey.size > maxTaints)
    throw new BerthError('node.invalid-taint', `a node may have ${maxTaints} taints, not ${byKey.size}`)
  return [...byKey.values()].sort((a, b) => (a.key < b.key ? -1 : 1))
}

function changedResources(
  before: NonNullable<Node['resources']>,
  change: NonNullable<NodeChange['resources']>,
): NonNullable<Node['resources']> {
  const resources = withoutNull({ ...before, ...change })
  const names = Object.keys(resources).sort()
  if (names.length > maxResources)
    throw new BerthError(
      'node.invalid-resource',
      `a node may have ${maxResources} further resources, not ${names.length}`,
    )
  for (const name of names) checkResource(name, resources[name]!)
  return Object.fromEntries(names.map((name) => [name, resources[name]!]))
}

function checkResource(name: string, amount: number | readonly string[]): void {
  const fail = (why: string): never => {
    throw new BerthError('node.invalid-resource', `resource ${JSON.stringify(name)} of a node: ${why}`)
  }
  if (['cpu', 'memory', 'disk'].includes(name)) fail('its agent tells how much there is of it')
  if (!isName(name)) fail(`a name is ${nameRule}`)
  if (typeof amount === 'number') return
  const wrong = amount.find((each) => !/^[A-Za-z0-9]([A-Za-z0-9._:-]{0,61}[A-Za-z0-9])?$/.test(each))
  if (wrong !== undefined) fail(`${JSON.stringify(wrong)} cannot name one of them: use letters, digits and . _ : -`)
  if (new Set(amount).size !== amount.length) fail('a name is given twice')
  if (amount.length > maxNames) fail(`at most ${maxNames} names`)
}

const withoutNull = <T>(record: Readonly<Record<string, T | null>>): Record<string, T> =>
  Object.fromEntries(Object.entries(record).filter((entry): entry is [string, T] => entry[1] !== null))

/** For people: what is otherwise than before. */
export function describeChange(before: Node, after: Node): string {
  const parts: string[] = []
  if (before.schedulable !== after.schedulable)
    parts.push(after.schedulable ? 'takes new instances again' : 'takes no new instances')
  if (before.group !== after.group) parts.push(`is in group ${after.group ?? defaultGroupName}`)
  if (before.address !== after.address) parts.push(`is reached at ${after.address}, no more at ${before.address}`)
  if (before.speedMilli !== after.speedMilli) parts.push(`speed ${(after.speedMilli ?? fullSpeedMilli) / 1000}`)
  const [was, is] = [before, after].map(({ images }) => imageLimitsText(images ?? {}))
  if (was !== is) parts.push(`images: ${is}`)
  parts.push(...changes('label', before.labels, after.labels))
  parts.push(...changes('taint', taintTexts(before), taintTexts(after)))
  parts.push(...changes('resource', amountTexts(before), amountTexts(after)))
  return `${after.name}: ${parts.join(', ')}`
}

type Texts = Readonly<Record<string, string>>

function changes(what: string, before: Texts, after: Texts): string[] {
  return [...new Set([...Object.keys(before), ...Object.keys(after)])].flatMap((key) => {
    const value = after[key]
    if (value === before[key]) return []
    if (value === undefined) return [`${what} ${key} removed`]
    return [`${what} ${value === '' ? key : `${key}=${value}`}`]
  })
}

const taintTexts = ({ taints = [] }: Node): Texts =>
  Object.fromEntries(taints.map((taint) => [taint.key, formatTaint(taint).slice(taint.key.length + 1)]))

const amountTexts = ({ resources = {} }: Node): Texts =>
  Object.fromEntries(
    Object.entries(resources).map(([name, amount]) => [
      name,
      typeof amount === 'number' ? String(amount) : amount.join(','),
    ]),
  )

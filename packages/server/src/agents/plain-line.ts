import type { FromAgent } from '@berth/api'

type Check = (value: unknown) => boolean

const isTime: Check = Number.isSafeInteger
const isCount: Check = (value) => Number.isSafeInteger(value) && (value as number) >= 0
const isSize: Check = (value) => Number.isFinite(value) && (value as number) >= 0
const textOf =
  (most: number): Check =>
  (value) =>
    typeof value === 'string' && value.length <= most
const isText = textOf(10_000)
const isFlag: Check = (value) => typeof value === 'boolean'
const phases = new Set<unknown>(['pending', 'assigned', 'running', 'stopping', 'ended'])

const statusFields = new Map<string, Check>([
  ['id', textOf(200)],
  ['createdAt', isTime],
  ['node', textOf(100)],
  ['phase', (value) => phases.has(value)],
  ['ready', isFlag],
  ['readyAt', isTime],
  ['containerId', isText],
  ['pid', isTime],
  ['address', isText],
  ['restarts', isCount],
  ['startedAt', isTime],
  ['endedAt', isTime],
  ['message', isText],
  ['messageCode', isText],
])
const neededFields = ['id', 'node', 'phase', 'ready', 'restarts']
const useFields = new Map<string, Check>([
  ['cpuMilli', isSize],
  ['memoryBytes', isSize],
])
const mostStatuses = 10_000

/**
 * Tells the lines that nearly all are, answers to pings and statuses of what goes well, in a tenth of the time that the schema takes.
 * False says nothing: then the schema has to.
 */
export function isPlainLine(document: unknown): document is FromAgent {
  if (typeof document !== 'object' || document === null) return false
  const { type } = document as { readonly type?: unknown }
  if (type === 'pong') return isPong(document)
  return type === 'status' && isStatuses(document as Record<string, unknown>)
}

function isPong(document: object): boolean {
  for (const key in document) {
    const value: unknown = (document as Record<string, unknown>)[key]
    if (key === 'at' ? !Number.isFinite(value) : key === 'use' ? !isUse(value) : key !== 'type') return false
  }
  return 'at' in document
}

const isUse = (value: unknown): boolean => isMade(value, useFields) && hasAll(value, ['cpuMilli', 'memoryBytes'])

function isStatuses(document: Record<string, unknown>): boolean {
  const { instances } = document
  if (!Array.isArray(instances) || instances.length > mostStatuses || Object.keys(document).length !== 2) return false
  return instances.every((each) => isMade(each, statusFields) && hasAll(each, neededFields))
}

/** It has such fields and no others. */
function isMade(value: unknown, fields: ReadonlyMap<string, Check>): value is object {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return false
  for (const key in value) {
    const check = fields.get(key)
    if (check === undefined || !check((value as Record<string, unknown>)[key])) return false
  }
  return true
}

const hasAll = (value: object, names: readonly string[]): boolean => names.every((name) => Object.hasOwn(value, name))

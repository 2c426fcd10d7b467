import type { SavedPlan } from '@berth/api/planning-resources'
import { BerthError, messageOf } from '@berth/core/model/berth-error'

/** Reads a file of `berth plan --save`, `berth plan -o json` or of this console. What is in it is checked by the server. */
export function readPlan(text: string): SavedPlan {
  let document: unknown
  try {
    document = JSON.parse(text)
  } catch (error) {
    throw new BerthError('plan.unreadable', `read the plan: ${messageOf(error)}`)
  }
  const whole = document as { readonly saved?: unknown; readonly unsaved?: unknown } | null
  const plan = (whole?.saved ?? document) as Partial<SavedPlan> | null
  if (plan !== null && typeof plan === 'object' && typeof plan.app === 'string' && typeof plan.pool === 'string') {
    if (isRecord(plan.slots) && isRecord(plan.digests) && isRecord(plan.replicas)) return plan as SavedPlan
  }
  const why = typeof whole?.unsaved === 'string' ? whole.unsaved : 'it is no saved plan'
  throw new BerthError('plan.unreadable', `read the plan: ${why}`)
}

const isRecord = (value: unknown): boolean => typeof value === 'object' && value !== null && !Array.isArray(value)

/** `shop-production-v14.plan.json` */
export const fileNameOf = ({ app, pool, release }: SavedPlan): string => `${app}-${pool}-${release}.plan.json`

/** Hands a text to the browser as a file. */
export function download(name: string, text: string): void {
  const url = URL.createObjectURL(new Blob([text], { type: 'application/json' }))
  const link = document.createElement('a')
  link.href = url
  link.download = name
  link.click()
  setTimeout(() => URL.revokeObjectURL(url), 10_000)
}

/** How many instances go to how many nodes. */
export function sizeOf({ slots }: SavedPlan): { readonly instances: number; readonly nodes: number } {
  const nodes = Object.values(slots).flat()
  return { instances: nodes.length, nodes: new Set(nodes).size }
}

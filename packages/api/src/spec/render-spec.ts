import { type AppSpec, specToDocument } from '@berth/core'
import { stringify } from 'yaml'

/** A spec as a `berth.yaml` with every default said; `parseSpec` gives the same spec back. */
export function renderSpec(spec: AppSpec): string {
  return stringify(withoutEmpty(specToDocument(spec)), (key, value) => (key === 'cpu' ? Number(value) : value), {
    lineWidth: 0,
    schema: 'core',
    version: '1.2',
    aliasDuplicateObjects: false,
  })
}

/** Empty lists and maps say nothing. */
function withoutEmpty(value: unknown): unknown {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return value
  return Object.fromEntries(
    Object.entries(value)
      .map(([key, child]) => [key, withoutEmpty(child)] as const)
      .filter(([, child]) => typeof child !== 'object' || child === null || Object.keys(child).length > 0),
  )
}

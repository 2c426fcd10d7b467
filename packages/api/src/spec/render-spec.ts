import { type AppSpec, specToDocument } from '@berth/core'
import { stringify } from 'yaml'

/** A spec as a `berth.yaml` with every default said; `parseSpec` gives the same spec back. */
export function renderSpec(spec: AppSpec): string {
  const document = specToDocument(spec)
  const entrypoints = Object.entries(document.entrypoints ?? {}).map(([name, each]) => [name, withoutEmpty(each)])
  const build = document.build === undefined ? {} : { build: withoutEmpty(document.build) }
  const shown = { ...document, ...build, entrypoints: Object.fromEntries(entrypoints) }
  return stringify(shown, (key, value) => (key === 'cpu' ? Number(value) : value), {
    lineWidth: 0,
    schema: 'core',
    version: '1.2',
    aliasDuplicateObjects: false,
  })
}

/** Empty lists and maps say nothing in an entrypoint or a build. (In an environment they do: `routes: []` means none.) */
function withoutEmpty(part: object | null | undefined): object {
  const kept = Object.entries(part ?? {}).filter(
    ([, value]) => typeof value !== 'object' || value === null || Object.keys(value).length > 0,
  )
  return Object.fromEntries(kept)
}

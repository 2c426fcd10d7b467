import {
  type AppSpec,
  type EntrypointDocument,
  type EntrypointOverrideDocument,
  type ResourcesDocument,
  specToDocument,
} from '@berth/core'
import { stringify } from 'yaml'

/** A spec as a `berth.yaml` with every default said; `parseSpec` gives the same spec back. */
export function renderSpec(spec: AppSpec): string {
  const { build, entrypoints, environments, ...rest } = specToDocument(spec)
  const shown = {
    ...rest,
    ...(build === undefined ? {} : { build: withoutEmpty({ ...build, limits: withBareCpu(build.limits ?? {}) }) }),
    entrypoints: mapEntries(entrypoints, (entrypoint) =>
      withoutEmpty(withSlimPlacement(withBareCpu(entrypoint ?? {}))),
    ),
    environments: mapEntries(environments, (environment) => ({
      ...environment,
      entrypoints: mapEntries(environment?.entrypoints, (each: EntrypointOverrideDocument | null | undefined) =>
        withBareCpu(each ?? {}),
      ),
    })),
  }
  return stringify(shown, { lineWidth: 0, schema: 'core', version: '1.2', aliasDuplicateObjects: false })
}

const mapEntries = <A, B>(record: Readonly<Record<string, A>> | undefined, map: (value: A) => B): Record<string, B> =>
  Object.fromEntries(Object.entries(record ?? {}).map(([key, value]) => [key, map(value)]))

/** Written as a number, without quotes. At most three decimals come back from a number as they were. */
const withBareCpu = <T extends ResourcesDocument>(part: T): T =>
  part.cpu === undefined ? part : { ...part, cpu: Number(part.cpu) }

const withSlimPlacement = (part: EntrypointDocument): object =>
  part.placement === undefined ? part : { ...part, placement: withoutEmpty(part.placement) }

/** Empty lists and maps say nothing in an entrypoint or a build. (In an environment they do: `routes: []` means none.) */
function withoutEmpty(part: object): object {
  const kept = Object.entries(part).filter(
    ([, value]) => typeof value !== 'object' || value === null || Object.keys(value).length > 0,
  )
  return Object.fromEntries(kept)
}

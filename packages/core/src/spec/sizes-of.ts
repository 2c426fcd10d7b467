import type { AppSpec, EntrypointSpec, Instance, Pool, PoolSizes, Rollout, SetSizes, Sizes } from '../model/index.ts'
import type { NewSizes } from '../schedule/resize.ts'

const names = [
  'cpuMilli',
  'memoryBytes',
  'inBitsPerSecond',
  'outBitsPerSecond',
] as const satisfies readonly (keyof Sizes)[]

type Sized = Pick<EntrypointSpec, 'resources'>

/**
 * What an entrypoint's new instances ask for: what `resize` set, else what the release says. A rollout on its way back has the sizes of
 * before it.
 */
export function sizesOf(
  entrypoint: string,
  spec: Sized,
  pool: Pick<Pool, 'sizes'>,
  rollout?: Pick<Rollout, 'state' | 'sizesBefore'>,
): Sizes {
  return sized(spec.resources, valuesOf(setSizes(pool, rollout)?.[entrypoint]))
}

/** What an instance's record says of that: what it does not get from its release. */
export function ownSizes(
  entrypoint: string,
  pool: Pick<Pool, 'sizes'>,
  rollout?: Pick<Rollout, 'state' | 'sizesBefore'>,
): Sizes | undefined {
  const values = valuesOf(setSizes(pool, rollout)?.[entrypoint])
  return Object.keys(values).length === 0 ? undefined : values
}

/** What an instance has asked for, when it was placed or resized last. */
export const askedSizes = ({ sizes }: Pick<Instance, 'sizes'>, spec: Sized): Sizes => sized(spec.resources, sizes ?? {})

/** What an instance is to have instead of what it has; undefined: it has what it should. One that was resized alone stays so. */
export function dueSizes(
  instance: Pick<Instance, 'entrypoint' | 'sizes' | 'sizedAlone'>,
  spec: Sized,
  pool: Pick<Pool, 'sizes'>,
  rollout?: Pick<Rollout, 'state' | 'sizesBefore'>,
): Sizes | undefined {
  if (instance.sizedAlone === true) return undefined
  // As it is with nearly all of them: both are what the release says.
  if (instance.sizes === undefined && setSizes(pool, rollout)?.[instance.entrypoint] === undefined) return undefined
  const due = sizesOf(instance.entrypoint, spec, pool, rollout)
  return isSameSizes(askedSizes(instance, spec), due) ? undefined : due
}

export const isSameSizes = (a: Sizes, b: Sizes): boolean => names.every((name) => a[name] === b[name])

/** From one to the other, as the books want it told. */
export function sizeChange(from: Sizes, to: Sizes): NewSizes {
  return Object.fromEntries(booked.filter((name) => from[name] !== to[name]).map((name) => [name, to[name] ?? null]))
}

/** What there is only so much of on a node; a limit of the network takes nothing. */
const booked = ['cpuMilli', 'memoryBytes'] as const satisfies readonly (keyof Sizes)[]

/** What `resize` writes down; sizes that were set before and are not named now stay. */
export function withSizes(sizes: Pool['sizes'], entrypoint: string, spec: Sized, set: Sizes): PoolSizes {
  const own: { -readonly [K in keyof SetSizes]: SetSizes[K] } = { ...sizes?.[entrypoint] }
  for (const name of names) {
    const value = set[name]
    if (value !== undefined) own[name] = { value, written: spec.resources[name] ?? null }
  }
  return { ...sizes, [entrypoint]: own }
}

export function withoutSizes(sizes: Pool['sizes'], entrypoint: string): Pool['sizes'] {
  const { [entrypoint]: _, ...rest } = sizes ?? {}
  return Object.keys(rest).length === 0 ? undefined : rest
}

/** Sizes when `spec` is rolled out: those set stay, each unless the yaml's own has changed since. */
export function sizesForSpec(before: Pool['sizes'], spec: AppSpec): Pool['sizes'] {
  const kept: Record<string, SetSizes> = {}
  for (const [entrypoint, set] of Object.entries(before ?? {})) {
    const resources = spec.entrypoints[entrypoint]?.resources
    if (resources === undefined) continue
    const own = Object.fromEntries(
      names.flatMap((name) => {
        const size = set[name]
        return size === undefined || size.written !== (resources[name] ?? null) ? [] : [[name, size]]
      }),
    )
    if (Object.keys(own).length > 0) kept[entrypoint] = own
  }
  return Object.keys(kept).length === 0 ? undefined : kept
}

/** The spec with what was set by `resize`: what its instances really ask for. */
export function sizedSpec(spec: AppSpec, sizes: Pool['sizes']): AppSpec {
  if (sizes === undefined) return spec
  const entrypoints = Object.entries(spec.entrypoints).map(([name, each]) => {
    const set = valuesOf(sizes[name])
    return [name, Object.keys(set).length === 0 ? each : { ...each, resources: { ...each.resources, ...set } }]
  })
  return { ...spec, entrypoints: Object.fromEntries(entrypoints) }
}

const setSizes = (
  { sizes }: Pick<Pool, 'sizes'>,
  rollout: Pick<Rollout, 'state' | 'sizesBefore'> | undefined,
): Pool['sizes'] =>
  rollout?.state === 'rolling-back' && rollout.sizesBefore !== undefined ? rollout.sizesBefore : sizes

export const valuesOf = (set: SetSizes | undefined): Sizes =>
  Object.fromEntries(
    names.flatMap((name) => {
      const size = set?.[name]
      return size === undefined ? [] : [[name, size.value]]
    }),
  )

function sized(written: Sizes, set: Sizes): Sizes {
  return Object.fromEntries(
    names.flatMap((name) => {
      const value = set[name] ?? written[name]
      return value === undefined ? [] : [[name, value]]
    }),
  )
}

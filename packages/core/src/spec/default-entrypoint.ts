import type { EntrypointSpec } from '../model/app-spec.ts'

/** The entrypoint that is meant where none is named: the first service in the file that has a tcp port. */
export function defaultEntrypoint(entrypoints: Readonly<Record<string, EntrypointSpec>>): string | undefined {
  return Object.keys(entrypoints).find((name) => {
    const { type, ports } = entrypoints[name]!
    return type === 'service' && ports.some(({ protocol }) => protocol === 'tcp')
  })
}

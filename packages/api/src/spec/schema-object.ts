import { nameSource, variableNameSource } from '@berth/core'
import { z } from 'zod'

/**
 * Building blocks of the document's schema. It holds the shape alone (which keys, which kinds of values); what the values may be, and
 * what they have to do with each other, is checked by `canonicalize` of @berth/core. Patterns, ranges and required keys are here as
 * metadata, so that editors know of them through the JSON Schema.
 */

/** Takes no other keys. Its error message carries the keys it knows, for "did you mean". */
export function object<S extends Readonly<Record<string, z.ZodType>>>(
  shape: S,
  required: readonly (keyof S & string)[] = [],
) {
  const optional = Object.fromEntries(
    Object.entries(shape).map(([key, schema]) => [key, z.optional(schema).meta(schema.meta() ?? {})]),
  ) as { [K in keyof S]: z.ZodOptional<S[K]> }
  const known = Object.keys(shape).join(' ')
  const schema = z.strictObject(optional, { error: () => known })
  return required.length === 0 ? schema : schema.meta({ required })
}

/** The description is shown by editors and stands in the guide. */
export const key = <T extends z.ZodType>(schema: T, description: string, examples?: readonly unknown[]): T =>
  schema.meta({ ...schema.meta(), description, ...(examples === undefined ? {} : { examples }) }) as T

export const text = z.string()
export const texts = z.array(z.string())
export const textOrTexts = z.union([text, texts])
export const flag = z.boolean()

/** Whole numbers; the range is told to editors, `canonicalize` checks it. */
export const count = (minimum: number, maximum: number) => z.int().meta({ minimum, maximum })

/** A bare number has no unit, which is right for 0 alone; `canonicalize` says so of the others. */
const zero = count(0, 0)
export const duration = z
  .union([zero, text.meta({ pattern: '^(0|([0-9]+(\\.[0-9]+)?(ms|[smhd]))+)$' })])
  .meta({ examples: ['30s', '5m', '250ms', '1h30m'] })
export const size = z
  .union([zero, text.meta({ pattern: '^[0-9]+(\\.[0-9]+)?(([KMGT]i|[kMGT])B?|B)$' })])
  .meta({ examples: ['512Mi', '2Gi', '1.5Gi'] })
export const cpu = z.union([z.number(), text]).meta({ examples: [1, 0.5, 1.3] })

/** A number in JSON Schema (`cpu: 1.3`), but read as the text of the file. */
export const scalar = z.union([text, z.number(), flag])

export const mapOf = <T extends z.ZodType>(value: T, keyPattern?: string) =>
  z.record(keyPattern === undefined ? text : text.meta({ pattern: keyPattern }), value)

export const variables = mapOf(scalar, variableNameSource)

export const command = textOrTexts.meta({ examples: ['node server.js', ['node', 'server.js']] })

export const burst = z.enum(['share', 'quota'])
const bits = text.meta({ pattern: '^[0-9]+(\\.[0-9]+)?[kMG]bit$', examples: ['200Mbit', '1.5Gbit'] })
export const bandwidth = object({
  in: key(bits, 'At most so much comes to an instance a second. Default: no limit.'),
  out: key(bits, 'At most so much is sent by an instance a second. Default: no limit.'),
  guaranteed: key(
    object({ in: key(bits, 'Of what comes to the node.'), out: key(bits, 'Of what the node sends.') }),
    'So much of its node’s uplink is kept for an instance: it runs only where that is left.',
  ),
})
export const furtherResources = mapOf(
  z.union([count(1, Number.MAX_SAFE_INTEGER), text.meta({ pattern: '^[0-9]+([KMGT]i|[kMGT])?$' })]),
  nameSource,
)

export const resources = {
  cpu: key(
    cpu,
    'Cores, in steps of 0.001: 1.3 is one core and three tenths of another. Default: 4, or the node’s if it has fewer.',
  ),
  memory: key(size, 'Memory limit; there is no swap beyond it. Default: 8Gi, or the node’s if it has less.'),
  disk: key(size, 'Room for what the container writes into its own file system. Default: no limit.'),
  burst: key(
    burst,
    'On cores shared with others: share uses what neighbours leave idle, quota never more than was asked for. Default: share.',
  ),
  bandwidth: key(bandwidth, 'Limits of an instance’s network, and what is kept for it.', [
    { in: '200Mbit', out: '100Mbit' },
  ]),
  resources: key(furtherResources, 'What nodes declare beyond these, by name.', [{ gpu: 1 }]),
}

import { readShape } from '@berth/api'
import { BerthError } from '@berth/core'
import type { z } from 'zod'

export interface RequestProblem {
  /** `body.replicas.web`, `query.limit`. */
  readonly path: string
  readonly message: string
}

type Part = 'params' | 'query' | 'body'

/** Gives the parsed value, or throws `request.invalid` with every problem at once. */
export function validate<T extends z.ZodType>(part: Part, schema: T, value: unknown): z.output<T> {
  const read = readShape(schema, value ?? {})
  if ('value' in read) return read.value
  const problems = read.problems.map(({ path, message }) => ({ path: [part, ...path].join('.'), message }))
  throw new BerthError('request.invalid', problems.map((each) => `${each.path}: ${each.message}`).join('; '), {
    details: { problems },
  })
}

const identifierRule = 'begins with a letter or digit, and has only letters, digits, dots, hyphens and underscores'
const identifier = /^[A-Za-z0-9][A-Za-z0-9._-]{0,199}$/
/** A domain of one's own may stand for all that is below it. */
const domainName = /^(?:\*\.)?[A-Za-z0-9][A-Za-z0-9._-]{0,199}$/
/** Of IPv6, whether it is one or not; those of IPv4 look like names. */
const addressText = /^[0-9A-Fa-f:.]{2,45}$/

/**
 * Every parameter of a path is a name or an id. Whatever else comes (slashes, shell characters, control characters) goes no further:
 * ids become keys of the store, parts of paths and container names.
 */
export function checkPathParameters(path: string, params: Readonly<Record<string, string>>): void {
  const rule = /\/domains\/:name$/.test(path) ? domainName : identifier
  const isAddress = (value: string): boolean => path.endsWith('addresses/:address') && addressText.test(value)
  for (const [name, value] of Object.entries(params)) {
    if ((rule.test(value) || isAddress(value)) && !value.includes('..')) continue
    throw new BerthError('request.invalid', `${calledIn(path, name)} ${JSON.stringify(value)}: ${identifierRule}`, {
      details: { problems: [{ path: `params.${name}`, message: identifierRule }] },
    })
  }
}

/** As people call it: `:app` is the app name, `secrets/:name` the secret name, `instances/:id` the instance id. */
function calledIn(path: string, name: string): string {
  if (name !== 'name' && name !== 'id') return `${name} name`
  const listing = new RegExp(`([a-z-]+)/:${name}\\b`).exec(path)?.[1]
  return listing === undefined ? name : `${listing.replace(/s$/, '')} ${name}`
}

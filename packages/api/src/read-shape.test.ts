import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { z } from 'zod'
import { endpoints } from './endpoints.ts'
import { readShape } from './read-shape.ts'

const schema = z.strictObject({
  name: z.string().max(5).optional(),
  count: z.number().int().min(1).max(9).optional(),
  list: z.array(z.string()).max(2).optional(),
  state: z.enum(['running', 'paused']).optional(),
  secret: z.string().min(8).optional(),
  either: z.union([z.string(), z.strictObject({ all: z.boolean() })]).optional(),
  limit: z.coerce.number().int().optional(),
  inner: z.strictObject({ depth: z.number(), width: z.number() }).partial().optional(),
  own: z
    .string()
    .refine((text) => text === 'a', 'has to be a')
    .optional(),
})

describe('what is wrong is said in the project’s words', () => {
  it.each([
    [5, '', 'expected a map, not 5'],
    [{ name: 5 }, 'name', 'expected text, not 5'],
    [{ name: null }, 'name', 'expected text, not null'],
    [{ name: 'abcdef' }, 'name', 'has to have at most 5 characters, and has 6'],
    [{ count: 0 }, 'count', 'has to be at least 1, and is 0'],
    [{ count: 1.5 }, 'count', 'expected a whole number, not 1.5'],
    [{ count: 1e99 }, 'count', expect.stringContaining('1e+99')],
    [{ list: ['a', 'b', 'c'] }, 'list', 'has to have at most 2 items, and has 3'],
    [{ list: ['a', 2] }, 'list.1', 'expected text, not 2'],
    [{ state: 'runing' }, 'state', 'expected running or paused, not "runing"; did you mean running?'],
    [{ secret: 12345678 }, 'secret', 'expected text, not this number'],
    [{ secret: 'hunter2' }, 'secret', 'has to have at least 8 characters, and has 7'],
    [{ either: 5 }, 'either', 'expected text or a map, not 5'],
    [{ either: { all: 'yes' } }, 'either.all', 'expected true or false, not "yes"'],
    [{ either: {} }, 'either.all', 'is missing: give true or false'],
    [{ limit: 'many' }, 'limit', 'expected a number, not "many"'],
    [{ nam: 'a' }, 'nam', 'is not known here; did you mean name?'],
    [{ inner: { dept: 1 } }, 'inner.dept', 'is not known here; did you mean depth?'],
    [{ inner: { colour: 1 } }, 'inner.colour', 'is not known here; known are depth, width'],
    [{ own: 'b' }, 'own', 'has to be a'],
  ])('%j: %s: %s', (value, path, message) => {
    const read = readShape(schema, value)
    expect('problems' in read ? read.problems.map((each) => [each.path.join('.'), each.message]) : []).toContainEqual([
      path,
      message,
    ])
  })

  it('gives every mistake at once, and the value where there is none', () => {
    const read = readShape(schema, { name: 5, count: 'x', nam: 1 })
    expect('problems' in read ? read.problems.length : 0).toBe(3)
    expect(readShape(schema, { name: 'a', limit: '3' })).toEqual({ value: { name: 'a', limit: 3 } })
  })
})

/** As the schema library words them. */
const library =
  /Invalid (input|option|string|number|key|value|element|discriminator)|Too (small|big)|expected (string|number|int|boolean|array|object|record)\b|received |Unrecognized key|must (match|start|end|include|be a)|\0/

/** A value of every kind, and maps with the keys that the schema knows, so that its inner parts are reached too. */
const wrongFor = (schema: z.ZodType): fc.Arbitrary<unknown> => {
  const keys = schema.type === 'object' ? Object.keys((schema as z.ZodObject).shape) : []
  const value = fc.oneof(fc.jsonValue({ maxDepth: 2 }), fc.constantFrom(-1, 1.5, 1e30, '', 'x'.repeat(70_000)))
  if (keys.length === 0) return value
  return fc.oneof(value, fc.dictionary(fc.oneof(fc.constantFrom(...keys), fc.string({ maxLength: 4 })), value))
}

it('no sentence of the schema library leaves, whatever is sent to whichever endpoint', () => {
  const schemas = Object.values(endpoints).flatMap(({ params, query, body }) => [params, query, body] as z.ZodType[])
  expect(schemas.length).toBeGreaterThan(300)
  let problems = 0
  for (const each of new Set(schemas))
    fc.assert(
      fc.property(wrongFor(each), (value) => {
        const read = readShape(each, value)
        if (!('problems' in read)) return
        for (const { message } of read.problems) {
          problems += 1
          expect(message).not.toMatch(library)
          expect(message).not.toBe('')
        }
      }),
      { numRuns: 10 },
    )
  expect(problems).toBeGreaterThan(500)
})

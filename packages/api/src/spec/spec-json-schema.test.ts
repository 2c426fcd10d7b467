import { readFileSync } from 'node:fs'
import { validDocument } from '@berth/core/spec/spec-document.testing'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { z } from 'zod'
import { specJsonSchema } from './spec-json-schema.ts'

type Schema = z.core.JSONSchema.JSONSchema

const published = readFileSync(new URL('../../../../docs/berth.schema.json', import.meta.url), 'utf8')

it('is what docs/berth.schema.json holds (else run `node scripts/schema.ts`)', () => {
  expect(JSON.stringify(JSON.parse(published))).toBe(JSON.stringify(specJsonSchema()))
})

it('describes every key', () => {
  const silent: string[] = []
  const visit = (schema: Schema, path: string): void => {
    for (const [key, child] of Object.entries(schema.properties ?? {})) {
      if (typeof child !== 'object') continue
      if (child.description === undefined) silent.push(`${path}.${key}`)
      visit(child, `${path}.${key}`)
    }
    const inside = [...(schema.anyOf ?? []), ...(schema.allOf ?? []), schema.items, schema.additionalProperties]
    for (const child of inside) if (typeof child === 'object') visit(child as Schema, path)
  }
  visit(specJsonSchema() as Schema, '')
  expect(silent).toEqual([])
})

describe('as an editor uses it', () => {
  const schema = z.fromJSONSchema(JSON.parse(published) as Schema)
  const valid = { app: 'shop', image: 'shop:1', entrypoints: { web: { ports: [8080], cpu: 1.3 } } }

  it('takes what is valid', () => {
    expect(schema.safeParse(valid).error).toBeUndefined()
    expect(schema.safeParse({ ...valid, 'x-env': { A: 1 } }).error).toBeUndefined()
    fc.assert(
      fc.property(validDocument, (document) => {
        expect(schema.safeParse(JSON.parse(JSON.stringify(document))).error).toBeUndefined()
      }),
    )
  })

  it.each([
    ['an unknown key', { ...valid, entrypoint: {} }],
    ['no app', { entrypoints: valid.entrypoints }],
    ['a port out of range', { ...valid, entrypoints: { web: { ports: [70_000] } } }],
    ['a bad name', { ...valid, app: 'My Shop' }],
    ['an unknown choice', { ...valid, entrypoints: { web: { restart: 'sometimes' } } }],
    ['a bad unit', { ...valid, entrypoints: { web: { drain: '30 seconds' } } }],
  ])('refuses %s', (_what, document) => expect(schema.safeParse(document).success).toBe(false))
})

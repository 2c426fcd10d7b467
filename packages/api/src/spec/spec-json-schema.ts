import { z } from 'zod'
import { specDocumentSchema } from './schema.ts'

/** The JSON Schema of `berth.yaml` (draft 7, which editors know best); `docs/berth.schema.json` is this, written out. */
export function specJsonSchema(): Record<string, unknown> {
  const schema = z.toJSONSchema(specDocumentSchema, { target: 'draft-7', io: 'input' })
  const { $schema, ...rest } = schema
  return {
    $schema,
    title: 'berth.yaml',
    description: 'An app as Berth builds and runs it: see docs/guides/berth-yaml.md.',
    ...rest,
    // Places for anchors.
    patternProperties: { '^x-': {} },
  }
}

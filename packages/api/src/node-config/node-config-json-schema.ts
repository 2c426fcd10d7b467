import { z } from 'zod'
import { nodeConfigSchema } from './schema.ts'

/** The JSON Schema of the node configuration (draft 7); `docs/node-config.schema.json` is this, written out. */
export function nodeConfigJsonSchema(): Record<string, unknown> {
  const { $schema, ...rest } = z.toJSONSchema(nodeConfigSchema, { target: 'draft-7', io: 'input' })
  return {
    $schema,
    title: 'Node configuration of Berth',
    description: 'What the machines of a cluster must have: see docs/guides/node-configuration.md.',
    ...rest,
    // Places for anchors.
    patternProperties: { '^x-': {} },
  }
}

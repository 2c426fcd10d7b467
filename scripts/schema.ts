/** Writes the JSON Schemas of `berth.yaml` and of the node configuration for editors. A test says when one is out of date. */
import { execFileSync } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { nodeConfigJsonSchema } from '../packages/api/src/node-config/node-config-json-schema.ts'
import { specJsonSchema } from '../packages/api/src/spec/spec-json-schema.ts'

const root = join(import.meta.dirname, '..')
const schemas = { 'berth.schema.json': specJsonSchema(), 'node-config.schema.json': nodeConfigJsonSchema() }

for (const [name, schema] of Object.entries(schemas)) {
  const path = join(root, 'docs', name)
  writeFileSync(path, JSON.stringify(schema))
  execFileSync(join(root, 'node_modules', '.bin', 'biome'), ['format', '--write', path], { stdio: 'inherit' })
}

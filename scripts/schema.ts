/** Writes `docs/berth.schema.json`, the JSON Schema of `berth.yaml` for editors. A test says when it is out of date. */
import { execFileSync } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { specJsonSchema } from '../packages/api/src/spec/spec-json-schema.ts'

const root = join(import.meta.dirname, '..')
const path = join(root, 'docs', 'berth.schema.json')

writeFileSync(path, JSON.stringify(specJsonSchema()))
execFileSync(join(root, 'node_modules', '.bin', 'biome'), ['format', '--write', path], { stdio: 'inherit' })

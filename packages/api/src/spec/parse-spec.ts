import { type AppSpec, canonicalize, type SpecDocument } from '@berth/core'
import { checkShape } from './check-shape.ts'
import { type DocumentReader, parseDocument, type SpecProblem } from './parse-document.ts'
import { specDocumentSchema } from './schema.ts'

export { maxSpecBytes, type SpecProblem } from './parse-document.ts'

export interface ParsedSpec {
  /** Present exactly when there are no problems. */
  readonly spec?: AppSpec
  /** In the order of the file. */
  readonly problems: readonly SpecProblem[]
}

const reader: DocumentReader<SpecDocument, AppSpec> = {
  whenTooLarge: 'keep data in the repository or in a volume, not in berth.yaml',
  whenEmpty: 'run `berth init` to have one written',
  shape: (value) => checkShape<SpecDocument>(value, specDocumentSchema),
  canonical: (document, broken) => {
    const { spec, issues } = canonicalize(document, broken)
    return spec === undefined ? { issues } : { value: spec, issues }
  },
}

/** Reads a `berth.yaml`: its canonical form, or every mistake in it. Never throws, whatever the text. */
export function parseSpec(yamlText: string): ParsedSpec {
  const { value, problems } = parseDocument(yamlText, reader)
  return value === undefined ? { problems } : { spec: value, problems }
}

import { canonicalizeNodeConfig, type FilesBeside, type NodeConfigDocument, type NodeConfigSpec } from '@berth/core'
import { checkShape } from '../spec/check-shape.ts'
import { parseDocument, type SpecProblem } from '../spec/parse-document.ts'
import { nodeConfigSchema } from './schema.ts'

export interface ParsedNodeConfig {
  /** Present exactly when there are no problems. */
  readonly spec?: NodeConfigSpec
  /** In the order of the file. */
  readonly problems: readonly SpecProblem[]
  /** Paths beside the document whose content it needs. */
  readonly needs: readonly string[]
}

/**
 * Reads a node configuration: its canonical form, or every mistake in it. `beside` are the files that it takes content from; undefined:
 * they are not read yet, and only `needs` tells of them. Never throws, whatever the text.
 */
export function parseNodeConfig(yamlText: string, beside: FilesBeside | undefined): ParsedNodeConfig {
  let needs: readonly string[] = []
  const { value: spec, problems } = parseDocument<NodeConfigDocument, NodeConfigSpec>(yamlText, {
    whenTooLarge: 'keep large files beside the document, and name them by `from`',
    whenEmpty: 'write `rules:` with a list; docs/guides/node-configuration.md has an example',
    shape: (value) => checkShape<NodeConfigDocument>(value, nodeConfigSchema),
    canonical: (document, broken) => {
      const read = canonicalizeNodeConfig(document, beside, broken)
      needs = read.needs
      return read.spec === undefined ? { issues: read.issues } : { value: read.spec, issues: read.issues }
    },
  })
  return spec === undefined ? { problems, needs } : { spec, problems, needs }
}

import { readShape } from '@berth/api'
import {
  BerthError,
  emptyManifest,
  isImageReference,
  isVariableName,
  type LevelManifest,
  readBaseName,
} from '@berth/core'
import { LineCounter, parseDocument } from 'yaml'
import { z } from 'zod'

const absolutePath = z.string().regex(/^\/[^\0\r\n]*$/, 'write an absolute path')
const baseName = z
  .string()
  .refine(isBaseName, 'write an image reference such as debian:12-slim, a level’s name, or scratch')
const variableName = z.string().refine(isVariableName, 'use letters, digits and _')

const schema = z.strictObject({
  from: baseName.optional(),
  packages: z.array(z.string().regex(/^[A-Za-z0-9][A-Za-z0-9.+:=~_-]*$/, 'this cannot name a package')).default([]),
  copy: z
    .array(
      z.strictObject({
        from: z.string().refine(isImageReference, 'write an image reference such as node:26-slim'),
        path: absolutePath,
        to: absolutePath.optional(),
      }),
    )
    .default([]),
  env: z.record(variableName, z.union([z.string(), z.number(), z.boolean()]).transform(String)).default({}),
})

/** Reads a `level.yaml`; absent means an empty one. Throws `build.level-invalid` with every mistake. `where` names the file. */
export function parseLevelManifest(text: string | undefined, where: string): LevelManifest {
  if (text === undefined || text.trim() === '') return emptyManifest
  const lines = new LineCounter()
  const document = parseDocument(text, { lineCounter: lines, merge: false })
  const [syntax] = document.errors
  if (syntax !== undefined) throw invalid(where, [`line ${lines.linePos(syntax.pos[0]).line}: ${syntax.code}`])
  const read = readShape(schema, document.toJS({ maxAliasCount: 0 }) ?? {})
  if ('problems' in read)
    throw invalid(
      where,
      read.problems.map(({ path, message }) => `${path.join('.') || 'the file'}: ${message}`),
    )
  const { from, packages, copy, env } = read.value
  return {
    ...(from === undefined ? {} : { from }),
    packages,
    copy: copy.map((each) => ({ ...each, to: each.to ?? each.path })),
    env,
  }
}

function isBaseName(text: string): boolean {
  try {
    readBaseName(text)
    return true
  } catch {
    return false
  }
}

const invalid = (where: string, problems: readonly string[]): BerthError =>
  new BerthError('build.level-invalid', `${where} cannot be used: ${problems.join('; ')}`)

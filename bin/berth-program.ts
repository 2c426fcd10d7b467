import { isSea } from 'node:sea'

/** How this very program is called again: the executable, or Node with the script. */
export function berthProgram(): string[] {
  if (isSea()) return [process.execPath]
  const script = process.argv[1]
  return script === undefined ? [process.execPath] : [process.execPath, script]
}

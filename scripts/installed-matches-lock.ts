// Ends with code 0 when node_modules holds exactly what package-lock.json says, by npm's own record of what it installed.
import { readFileSync } from 'node:fs'
import { join } from 'node:path'

interface LockedPackage {
  readonly version?: string
  readonly integrity?: string
  readonly link?: boolean
  readonly optional?: boolean
}

const root = join(import.meta.dirname, '..')

const packagesOf = (file: string): Map<string, LockedPackage> => {
  const { packages } = JSON.parse(readFileSync(join(root, file), 'utf8')) as {
    packages: Record<string, LockedPackage>
  }
  const installed = Object.entries(packages).filter(([path, entry]) => path.includes('node_modules/') && !entry.link)
  return new Map(installed)
}

const matches = (): boolean => {
  const locked = packagesOf('package-lock.json')
  const installed = packagesOf('node_modules/.package-lock.json')
  const same = (path: string, entry: LockedPackage) =>
    installed.get(path)?.version === entry.version && installed.get(path)?.integrity === entry.integrity
  // Packages for other platforms are in the lock, and not installed.
  const complete = [...locked].every(([path, entry]) => same(path, entry) || (entry.optional && !installed.has(path)))
  return complete && [...installed.keys()].every((path) => locked.has(path))
}

try {
  process.exitCode = matches() ? 0 : 1
} catch {
  process.exitCode = 1
}

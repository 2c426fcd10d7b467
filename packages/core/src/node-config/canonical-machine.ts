import type { IssueList, SpecPath } from '../spec/spec-issue.ts'

/** As `sysctl` takes them: dots, and slashes where a name has a dot itself. */
const sysctlPattern = /^[A-Za-z0-9_-]+(?:[./][A-Za-z0-9_-]+)+$/
const packagePattern = /^[a-z0-9][a-z0-9+.-]{0,127}$/

/** The value as the kernel shows it: one blank between its parts. */
export function canonicalSysctl(
  name: string,
  value: string | number | boolean,
  path: SpecPath,
  issues: IssueList,
): string | undefined {
  if (!sysctlPattern.test(name)) {
    issues.add(path, `${JSON.stringify(name)} is no kernel setting`, {
      suggestion: 'write one such as net.core.somaxconn',
      atKey: true,
    })
    return undefined
  }
  if (name === 'net.ipv4.ip_forward' && String(value) !== '1') {
    issues.add(path, 'without net.ipv4.ip_forward no instance reaches another node', { suggestion: 'write 1' })
    return undefined
  }
  const text = typeof value === 'boolean' ? String(Number(value)) : String(value).trim().replaceAll(/\s+/g, ' ')
  if (text !== '' && text.length <= 1000 && !/[^\x20-\x7e]/.test(text)) return text
  issues.add(path, `${name} cannot have this value`)
  return undefined
}

/** Where the kernel shows it. */
export const sysctlPath = (name: string): string =>
  `/proc/sys/${name.replaceAll(/[./]/g, (mark) => (mark === '.' ? '/' : '.'))}`

export function canonicalPackage(name: string, path: SpecPath, issues: IssueList): boolean {
  if (typeof name === 'string' && packagePattern.test(name)) return true
  const suggestion = /=/.test(String(name))
    ? 'versions cannot be chosen here: pin them in a file below /etc/apt/preferences.d'
    : undefined
  issues.add(path, `${JSON.stringify(name)} is no name of a package`, suggestion === undefined ? {} : { suggestion })
  return false
}

import { describe, expect, it } from 'vitest'
import { formatPath, IssueList, type SpecPath } from './spec-issue.ts'

it.each<[SpecPath, string]>([
  [[], ''],
  [['entrypoints', 'web', 'ports', 0], 'entrypoints.web.ports[0]'],
  [['entrypoints', 'web', 'sysctls', 'net.core.somaxconn'], 'entrypoints.web.sysctls["net.core.somaxconn"]'],
  [['a b'], '["a b"]'],
])('formatPath %j', (path, text) => expect(formatPath(path)).toBe(text))

describe('IssueList.independent', () => {
  const messages = (issues: IssueList, broken: SpecPath[] = []) =>
    issues.independent(broken).map(({ message }) => message)

  it('drops what only follows from another mistake', () => {
    const issues = new IssueList()
    issues.add(['ports', 0], 'out of range')
    issues.add(['probe'], 'no such port', { dependsOn: [['ports']] })
    issues.add(['other'], 'no such entrypoint', { dependsOn: [['entrypoints', 'x']] })
    expect(messages(issues)).toEqual(['out of range', 'no such entrypoint'])
  })

  it('drops what follows from a broken part, and what is missing since it was left out', () => {
    const issues = new IssueList()
    issues.add(['app'], 'missing')
    issues.add(['routes', 0], 'no such port', { dependsOn: [['entrypoints', 'web', 'ports']] })
    issues.add(['routes', 1], 'bad host')
    expect(messages(issues, [['app'], ['entrypoints', 'web']])).toEqual(['bad host'])
  })

  it('does not take a wrong key for a cause: its value may be right', () => {
    const issues = new IssueList()
    issues.add(['entrypoints', 'Web'], 'bad name', { atKey: true })
    issues.add(['routes', 0], 'no such port', { dependsOn: [['entrypoints', 'Web', 'ports']] })
    expect(messages(issues)).toEqual(['bad name', 'no such port'])
  })
})

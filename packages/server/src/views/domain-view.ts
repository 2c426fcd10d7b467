import type { DomainView } from '@berth/api'
import { domainWarnings } from '@berth/core'
import { targetProblem, targetWarning } from '../domains/domains.ts'
import type { DomainRecord, State } from '../records/index.ts'
import { defined } from './view-context.ts'

export function domainView(state: State, record: DomainRecord): DomainView {
  const { name, target, addresses = [], resolvers = [], version, updatedAt, updatedBy } = record
  const problem = target === undefined ? undefined : (targetProblem(state, target) ?? targetWarning(state, target))
  return {
    name,
    ...defined({ target }),
    addresses: [...addresses],
    resolvers: resolvers.map((each) => ({ ...each })),
    warnings: [...domainWarnings(record), ...(problem === undefined ? [] : [problem])],
    ...{ version, updatedAt, updatedBy },
  }
}

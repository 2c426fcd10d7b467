import type { ExternalView } from '@berth/api'
import type { ExternalRecord } from '../records/index.ts'
import { defined } from './view-context.ts'

export function externalView(record: ExternalRecord, domain: string): ExternalView {
  const { name, addresses, target, ports, tags, site, routes, version, updatedAt, updatedBy } = record
  return {
    ...{ name, hostname: `${name}.${domain}`, addresses: [...addresses], tags: [...tags] },
    ...defined({ target, site }),
    ports: ports.map((each) => ({ ...each })),
    routes: routes.map((each) => ({ ...each })),
    ...{ version, updatedAt, updatedBy },
  }
}

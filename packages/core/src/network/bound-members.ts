import type { BoundService, NameEntry } from '../model/assignment.ts'
import { poolFor } from './dns-answers.ts'
import type { NameIndex } from './name-index.ts'

/** An instance that is ready. */
export interface BoundMember {
  readonly instance: string
  readonly address: string
  /** Absent: it listens nowhere by its spec. */
  readonly port?: number
  /** Of the asker's own site; absent where sites are not told apart. */
  readonly isNear?: boolean
}

/** Who answers for what an instance of that pool binds: those of which its name tells, those of its own site first, then in order of ids. */
export function boundMembers(index: NameIndex, service: BoundService, askerPool: string): readonly BoundMember[] {
  const app = index.apps.get(service.app)
  const pool = service.pool ?? (app === undefined ? undefined : poolFor(index, app, askerPool))
  const entries = app?.ready.get(`${service.entrypoint}.${pool}`) ?? []
  const isFar = (entry: NameEntry): boolean => index.site !== undefined && entry.site !== index.site
  return [...entries]
    .sort((a, b) => Number(isFar(a)) - Number(isFar(b)) || compareIds(a.instance, b.instance))
    .map((entry) => ({
      instance: entry.instance,
      address: entry.address,
      ...(entry.ports[0] === undefined ? {} : { port: entry.ports[0].port }),
      ...(index.site === undefined ? {} : { isNear: !isFar(entry) }),
    }))
}

/** `web-2` before `web-10`. */
const compareIds = (a: string, b: string): number => a.length - b.length || (a < b ? -1 : Number(a > b))

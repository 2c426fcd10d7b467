import { BerthError, isName, nameRule } from '@berth/core'
import type { CloudTableRecord } from '../../records/index.ts'

/** A provider's route table, as people set it. */
export interface CloudTable extends Omit<CloudTableRecord, 'sealed'> {
  /** Absent: as before. Empty: none. */
  readonly token?: string | undefined
}

export const maxTables = 32
const longestToken = 8192

/** Throws `cloud-routes.invalid-table`. */
export function checkCloudTable(table: CloudTable): CloudTable {
  const refuse = (why: string): BerthError =>
    new BerthError('cloud-routes.invalid-table', `route table ${JSON.stringify(table.name)}: ${why}`)
  if (!isName(table.name)) throw refuse(`a table's name has ${nameRule}`)
  const url = URL.parse(table.url)
  if (url === null || !['http:', 'https:'].includes(url.protocol))
    throw refuse(`${JSON.stringify(table.url)} is no address of a service; write e.g. https://routes.example/vpc-1`)
  if (url.username !== '' || url.password !== '' || url.search !== '' || url.hash !== '')
    throw refuse('its address cannot have a user, a password, a query or a fragment; give a token instead')
  if (table.token !== undefined && (!/^[\x21-\x7e]*$/.test(table.token) || table.token.length > longestToken))
    throw refuse('its token has characters that no header may have')
  if (table.token !== undefined && table.token !== '' && url.protocol === 'http:' && !isLocal(url.hostname))
    throw refuse('a token is sent over https only, or to this machine')
  return table
}

const isLocal = (host: string): boolean => host === 'localhost' || host === '[::1]' || host.startsWith('127.')

/** Two tables for the same nodes would each have all of their entries. Throws `cloud-routes.invalid-table`. */
export function checkSites(table: CloudTable, others: readonly CloudTableRecord[]): void {
  const same = others.find(({ site }) => site === table.site)
  if (same === undefined) return
  const whose = table.site === undefined ? 'all nodes' : `the nodes of site ${table.site}`
  throw new BerthError(
    'cloud-routes.invalid-table',
    `route table ${table.name}: the table ${same.name} is that of ${whose} already; give it a site of its own (--site), or remove the other`,
  )
}

export const noTables = (): BerthError =>
  new BerthError(
    'cloud-routes.no-table',
    'routes of a cloud need a route table: berth net cloud set NAME URL; or choose other routes (berth net set --routes static)',
  )

export const tooManyTables = (): BerthError =>
  new BerthError('cloud-routes.invalid-table', `there are ${maxTables} route tables already; remove one first`)

export function noTable(name: string, tables: readonly CloudTableRecord[]): BerthError {
  const there = tables.length === 0 ? 'there is none' : `there are: ${tables.map((table) => table.name).join(', ')}`
  return new BerthError('cloud-routes.table-not-found', `no route table ${name}; ${there}`)
}

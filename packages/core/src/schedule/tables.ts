import { EntrypointTable } from './entrypoint-table.ts'
import { InstanceTable } from './instance-table.ts'
import { LabelIndex } from './label-index.ts'
import { NodeTable } from './node-table.ts'
import { RowCounts } from './row-counts.ts'
import { TermsTable } from './terms.ts'

/** All that the books hold; changed by `Books` only. */
export interface Tables {
  readonly nodes: NodeTable
  readonly instances: InstanceTable
  readonly entrypoints: EntrypointTable
  readonly terms: TermsTable
  readonly labels: LabelIndex
  /** Host ports → the rows where they are taken. */
  readonly ports: Map<number, RowCounts>
}

export function makeTables(): Tables {
  const entrypoints = new EntrypointTable()
  return {
    nodes: new NodeTable(),
    instances: new InstanceTable(),
    entrypoints,
    terms: new TermsTable(entrypoints),
    labels: new LabelIndex(),
    ports: new Map(),
  }
}

export function cloneTables(tables: Tables): Tables {
  const entrypoints = tables.entrypoints.clone()
  return {
    nodes: tables.nodes.clone(),
    instances: tables.instances.clone(),
    entrypoints,
    terms: tables.terms.clone(entrypoints),
    labels: new LabelIndex(),
    ports: new Map([...tables.ports].map(([port, rows]) => [port, rows.clone()])),
  }
}

export function usePort({ ports }: Tables, port: number, row: number, change: 1 | -1): void {
  const rows = ports.get(port) ?? new RowCounts()
  rows.add(row, change)
  if (rows.size === 0) ports.delete(port)
  else ports.set(port, rows)
}

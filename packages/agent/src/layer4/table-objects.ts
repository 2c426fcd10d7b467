import { portRoutesTable, type TableObject } from '@berth/core'
import type { Exec } from '../network/run-command.ts'

/** What the table of routes of ports has in the kernel; undefined: it is not there. */
export async function readTableObjects(exec: Exec, signal?: AbortSignal): Promise<TableObject[] | undefined> {
  const { code, stdout } = await exec('nft', ['-j', '-t', 'list', 'table', 'inet', portRoutesTable], { signal })
  if (code !== 0) return undefined
  const { nftables = [] } = JSON.parse(stdout) as {
    readonly nftables?: readonly Partial<Record<TableObject['kind'], { readonly name: string }>>[]
  }
  return nftables.flatMap((each) =>
    (['chain', 'counter', 'map'] as const).flatMap((kind) => {
      const name = each[kind]?.name
      return name === undefined ? [] : [{ kind, name }]
    }),
  )
}

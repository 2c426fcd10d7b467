import type { State } from '../records/index.ts'

/** Why others in the cloud do not reach a node's block. */
export function cloudRouteProblems(state: State, node: string): string[] {
  const isCloud = [...state.routings.values()].some(({ mode }) => mode === 'cloud')
  if (!isCloud) return []
  return state.cloudTables.all().flatMap(({ name, failed, pending, problem }) => {
    const entry = failed.find((each) => each.node === node)
    if (entry !== undefined)
      return [`its block ${entry.destination} has no entry in the route table ${name}: ${entry.why}`]
    const waits = pending.some((each) => each.node === node)
    return waits && problem !== undefined ? [`its block has no entry in the route table ${name} yet: ${problem}`] : []
  })
}

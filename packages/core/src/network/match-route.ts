import type { Route } from './route-table.ts'

/**
 * The route that answers for `host` and `path`: the definition that the gateway's own matcher is tested against, and what explains
 * a table to people. `host` is in lower case without a port, `path` is decoded and without `//`, `.` and `..`.
 */
export function matchRoute(routes: readonly Route[], host: string, path: string): Route | undefined {
  for (const name of hostCandidates(host)) {
    const best = longestPath(
      routes.filter((route) => route.host === name),
      path,
    )
    if (best !== undefined) return best
  }
  return undefined
}

/** `a.b.c` → `a.b.c`, `*.b.c`, `*.c`, `*`. */
export function hostCandidates(host: string): string[] {
  const labels = host.split('.')
  const wildcards = labels.slice(1).map((_, index) => `*.${labels.slice(index + 1).join('.')}`)
  return [host, ...wildcards, '*']
}

function longestPath(routes: readonly Route[], path: string): Route | undefined {
  let best: Route | undefined
  for (const route of routes) {
    if (pathCovers(route.path, path) && (best === undefined || route.path.length > best.path.length)) best = route
  }
  return best
}

/** Whether `prefix` is `path` or one of the folders above it. */
export function pathCovers(prefix: string, path: string): boolean {
  return prefix === '/' || path === prefix || path.startsWith(`${prefix}/`)
}

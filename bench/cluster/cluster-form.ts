import type { StoreKind } from './cluster-store.ts'
import type { ClusterSize } from './run-cluster.ts'

/** How a figure of a cluster is taken, where that is not as its target says. */
export interface ClusterForm extends ClusterSize {
  readonly store: StoreKind
  /** Nodes and releases of a form are made once and kept here. */
  readonly preparedIn?: string
  readonly timeoutMs: number
}

type Environment = Readonly<Record<string, string | undefined>>

/** `BERTH_CLUSTER_NODES`, `_APPS`, `_REPLICAS`, `_STORE` (sqlite or etcd), `_KEEP` (a folder) and `_TIMEOUT` (seconds), each instead of what the figure has. */
export function clusterForm(
  { nodes, apps, replicas }: ClusterSize,
  environment: Environment = process.env,
): ClusterForm {
  const given = (name: string): string | undefined => environment[`BERTH_CLUSTER_${name}`] || undefined
  const count = (name: string, otherwise: number): number => {
    const value = Number(given(name) ?? otherwise)
    if (Number.isInteger(value) && value > 0) return value
    throw new Error(`BERTH_CLUSTER_${name}=${given(name)}: give a whole number above 0`)
  }
  const store = given('STORE') ?? 'sqlite'
  if (store !== 'sqlite' && store !== 'etcd') throw new Error(`BERTH_CLUSTER_STORE=${store}: say sqlite or etcd`)
  const preparedIn = given('KEEP')
  return {
    ...{ nodes: count('NODES', nodes), apps: count('APPS', apps), replicas: count('REPLICAS', replicas) },
    ...{ store, timeoutMs: count('TIMEOUT', 1_200) * 1_000 },
    ...(preparedIn === undefined ? {} : { preparedIn }),
  }
}

/** `300,000 instances of 300 apps on 5,000 simulated nodes, etcd` */
export function describeForm({ nodes, apps, replicas, store }: ClusterForm): string {
  const text = (value: number): string => value.toLocaleString('en')
  return `${text(apps * replicas)} instances of ${text(apps)} apps on ${text(nodes)} simulated nodes, ${store}`
}

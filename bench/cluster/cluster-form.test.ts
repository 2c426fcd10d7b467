import { expect, it } from 'vitest'
import { clusterForm, describeForm } from './cluster-form.ts'

const size = { nodes: 5_000, apps: 1_000, replicas: 1_000 }

it('is as the figure says, unless the environment says otherwise', () => {
  expect(clusterForm(size, {})).toEqual({ ...size, store: 'sqlite', timeoutMs: 1_200_000 })
  const other = { BERTH_CLUSTER_APPS: '300', BERTH_CLUSTER_STORE: 'etcd', BERTH_CLUSTER_KEEP: '/keep' }
  expect(clusterForm(size, other)).toMatchObject({ ...size, apps: 300, store: 'etcd', preparedIn: '/keep' })
  expect(describeForm(clusterForm(size, other))).toBe('300,000 instances of 300 apps on 5,000 simulated nodes, etcd')
})

it.each([
  ['BERTH_CLUSTER_NODES', 'many'],
  ['BERTH_CLUSTER_APPS', '0'],
  ['BERTH_CLUSTER_REPLICAS', '1.5'],
  ['BERTH_CLUSTER_STORE', 'memory'],
])('refuses %s=%s', (name, value) => {
  expect(() => clusterForm(size, { [name]: value })).toThrow(`${name}=${value}`)
})

import { afterAll, beforeAll } from 'vitest'
import { EtcdCluster } from '../store/etcd/etcd-cluster.testing.ts'
import { openInEtcd } from '../store/etcd/open-etcd.testing.ts'
import { leadershipContract } from './leadership-contract.ts'

let cluster: EtcdCluster

beforeAll(async () => {
  cluster = await EtcdCluster.start({ members: 1 })
})

afterAll(() => cluster?.[Symbol.asyncDispose]())

leadershipContract('etcd', () => openInEtcd(cluster.addresses))

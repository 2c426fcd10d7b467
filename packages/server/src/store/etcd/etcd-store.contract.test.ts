import { afterAll, beforeAll } from 'vitest'
import { storeContract } from '../store-contract.ts'
import { EtcdCluster } from './etcd-cluster.testing.ts'
import { openInEtcd } from './open-etcd.testing.ts'

let cluster: EtcdCluster

beforeAll(async () => {
  cluster = await EtcdCluster.start({ members: 3 })
})

afterAll(() => cluster?.[Symbol.asyncDispose]())

storeContract('three members of etcd', () => openInEtcd(cluster.addresses))

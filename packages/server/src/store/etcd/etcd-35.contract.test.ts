import { afterAll, beforeAll } from 'vitest'
import { storeContract } from '../store-contract.ts'
import { EtcdCluster } from './etcd-cluster.testing.ts'
import { openInEtcd } from './open-etcd.testing.ts'
import { isDebian, trixieEtcd } from './trixie-etcd.testing.ts'

let cluster: EtcdCluster

beforeAll(async () => {
  cluster = await EtcdCluster.start(isDebian ? { program: await trixieEtcd() } : {})
})

afterAll(() => cluster?.[Symbol.asyncDispose]())

// The other version is compared with the model at length.
storeContract(isDebian ? 'etcd of Debian 13' : 'a single etcd', () => openInEtcd(cluster.addresses), { modelRuns: 5 })

import { commitUntilKilled } from '../contract/commit-until-killed.ts'
import { openEtcdStore } from './etcd-store.ts'
import { silent } from './open-etcd.testing.ts'

const [prefix = '', ...addresses] = process.argv.slice(2)
await commitUntilKilled(await openEtcdStore({ addresses, prefix, log: silent }))

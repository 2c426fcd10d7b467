import { commitUntilKilled } from '../contract/commit-until-killed.ts'
import { silent } from './open-temporary.testing.ts'
import { openSqliteStore } from './sqlite-store.ts'

await commitUntilKilled(await openSqliteStore({ path: process.argv[2] as string, log: silent }))

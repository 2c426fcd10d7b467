import { describe } from 'vitest'
import { compactionContract } from './contract/compaction.ts'
import { durabilityContract } from './contract/durability.ts'
import { leaseContract } from './contract/leases.ts'
import { modelContract } from './contract/model.ts'
import { readContract } from './contract/reads.ts'
import type { OpenStoreUnderTest } from './contract/store-under-test.ts'
import { transactionContract } from './contract/transactions.ts'
import { watchContract } from './contract/watches.ts'

/** A machine that is busy with other things takes its time. */
const timeoutMs = 240_000

/** What every adapter of the store port keeps. An adapter's own test calls this with a way to open one. `modelRuns`: unless in the long form. */
export function storeContract(name: string, open: OpenStoreUnderTest, { modelRuns = 20 } = {}): void {
  describe(`the store contract on ${name}`, { timeout: timeoutMs }, () => {
    transactionContract(open)
    readContract(open)
    watchContract(open)
    leaseContract(open)
    compactionContract(open)
    durabilityContract(open)
    modelContract(open, modelRuns)
  })
}

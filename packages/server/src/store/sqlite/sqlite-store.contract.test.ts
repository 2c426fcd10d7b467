import { storeContract } from '../store-contract.ts'
import { openTemporary } from './open-temporary.testing.ts'

storeContract('SQLite', () => openTemporary())

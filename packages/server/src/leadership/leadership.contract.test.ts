import { openTemporary } from '../store/sqlite/open-temporary.testing.ts'
import { leadershipContract } from './leadership-contract.ts'

leadershipContract('SQLite', () => openTemporary())

/** `scratch-guardian.ts DIR`: the test that made the folder has died without removing it. */
import { removeScratch } from './scratch-removal.ts'

await removeScratch(process.argv[2] ?? '')

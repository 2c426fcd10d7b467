import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach } from 'vitest'
import { listManifests, openLab, saveLogs } from '../../packages/lab/src/index.ts'

/** What the hosts of a lab have logged goes with it: of a test that fails it is copied to `$BERTH_KEEP_LOGS`. */
afterEach(async ({ task }) => {
  if (task.result?.state !== 'fail') return
  const name = task.name.replace(/[^A-Za-z0-9]+/g, '-').slice(0, 60)
  for (const manifest of listManifests().filter(({ owner }) => owner?.pid === process.pid)) {
    const place = join(process.env.BERTH_KEEP_LOGS ?? join(tmpdir(), 'berth-failed-tests'), name)
    const directory = await saveLogs(openLab(manifest), place)
    process.stderr.write(`[logs] of “${task.name}”: ${directory}\n`)
  }
})

/** `scratch-owner.ts host|dockerd`: makes one with a container on it, tells its folder and the container's process, and waits for its end. */
import { TestDockerd } from '../build/dockerd.testing.ts'
import { TestHost, testImage } from './test-host.ts'

async function make(): Promise<TestHost | TestDockerd> {
  if (process.argv[2] === 'host') return await TestHost.start()
  const dockerd = new TestDockerd()
  await dockerd.start()
  dockerd.importBusybox(testImage)
  return dockerd
}

const made = await make()
const id = made.docker('run', '--detach', '--network=none', testImage, 'sleep', '1000')
const pid = Number(made.docker('inspect', '--format', '{{.State.Pid}}', id))
process.stdout.write(JSON.stringify({ dir: made.dir, pid }))
setInterval(() => undefined, 60_000)

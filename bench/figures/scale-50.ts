import { spawn } from 'node:child_process'
import { performance } from 'node:perf_hooks'
import { Cluster } from '../../e2e/support/cluster.ts'
import { inParallel, until } from '../../e2e/support/load.ts'
import { type Figure, type FigureContext, median } from '../figure.ts'
import { commandProbe, instances, tinyApp, untilAnswers } from '../support.ts'

const count = 50
/** What the agent starts at once, and `docker run` as well. */
const parallel = 8
const rounds = 3

interface Round {
  readonly ours: number
  readonly traffic: number
  readonly peer: number
}

export const figure: Figure = {
  name: 'scale-50',
  description: '1 → 50 instances, until the 50th answers 200 at its own address',
  unit: 's',
  peer: `${count - 1} × docker run, ${parallel} at a time, same engine, image, limits and health check`,
  target: '<= 1.15',
  async run(context) {
    await using cluster = await Cluster.start()
    await cluster.lab.routeContainers(cluster.first, cluster.lab.containerPool)
    const repository = await cluster.repository('tiny', tinyApp(1, commandProbe))
    await cluster.mustBerth(['deploy', 'tiny', '--repository', repository.path])
    const done: Round[] = []
    for (let round = 0; round < rounds && !context.signal.aborted; round++) {
      const { ours, traffic } = await scaleUp(cluster)
      await scaleDown(cluster)
      const peer = await dockerRun(cluster)
      done.push({ ours, traffic, peer })
      context.log(
        `round ${round + 1}: ours ${ours.toFixed(2)} s, in traffic ${traffic.toFixed(2)} s, docker run ${peer.toFixed(2)} s`,
      )
    }
    return report(done, context)
  },
}

function report(rounds: readonly Round[], _: FigureContext) {
  const ratio = median(rounds.map((each) => each.ours / each.peer))
  const traffic = median(rounds.map((each) => each.traffic / each.peer))
  return {
    ours: median(rounds.map((each) => each.ours)),
    peer: median(rounds.map((each) => each.peer)),
    ratio,
    ok: ratio <= 1.15 && traffic <= 1.25,
    samples: rounds.map((each) => each.ours),
    notes: [`all in traffic by then: ratio ${traffic.toFixed(2)}, target <= 1.25`],
  }
}

async function scaleUp(cluster: Cluster): Promise<{ ours: number; traffic: number }> {
  const started = performance.now()
  await cluster.client.call('scalePool', {
    params: { app: 'tiny', pool: 'production' },
    body: { replicas: { web: count } },
  })
  const addresses = await until('50 addresses', async () => {
    const found = (await instances(cluster, 'tiny')).flatMap((each) => each.address ?? [])
    return found.length === count && found
  })
  const answered = await Promise.all(addresses.map((address) => untilAnswers(`http://${address}:8080/`)))
  await until(
    '50 in traffic',
    async () => (await instances(cluster, 'tiny')).filter((each) => each.inTraffic).length === count,
    60_000,
  )
  return { ours: (Math.max(...answered) - started) / 1000, traffic: (performance.now() - started) / 1000 }
}

async function scaleDown(cluster: Cluster): Promise<void> {
  await cluster.client.call('scalePool', {
    params: { app: 'tiny', pool: 'production' },
    body: { replicas: { web: 1 } },
  })
  await until('one instance', async () => (await instances(cluster, 'tiny')).length === 1, 120_000)
}

async function dockerRun(cluster: Cluster): Promise<number> {
  const image = (await cluster.containers())[0]
  const inspected = await cluster.first.exec(['docker', 'inspect', '--format', '{{.Image}}', image?.name ?? ''])
  const names = Array.from({ length: count - 1 }, (_, index) => `peer-${index}`)
  const started = performance.now()
  let last = 0
  try {
    await inParallel(names, parallel, async (name) => {
      await run(cluster.first.enterArgv(runArgv(name, inspected.stdout.trim())))
      const format = '{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}'
      const address = (await cluster.first.exec(['docker', 'inspect', '--format', format, name])).stdout.trim()
      last = Math.max(last, await untilAnswers(`http://${address}:8080/`))
    })
    return (last - started) / 1000
  } finally {
    await cluster.first.exec(['docker', 'rm', '-f', ...names])
  }
}

const runArgv = (name: string, image: string): string[] => [
  ...[
    'docker',
    'run',
    '--detach',
    '--name',
    name,
    '--network',
    'berth',
    '--cpus',
    '2',
    '--memory',
    '64m',
    '--memory-swap',
    '64m',
  ],
  ...[
    '--health-cmd',
    'wget -q -O /dev/null http://127.0.0.1:8080/',
    '--health-interval',
    '10s',
    '--cap-drop',
    'ALL',
    '--security-opt',
    'no-new-privileges',
  ],
  ...['--log-opt', 'max-size=10m', '--log-opt', 'max-file=3', image, 'httpd', '-f', '-p', '8080', '-h', '/app'],
]

function run(argv: readonly string[]): Promise<void> {
  const [command = '', ...args] = argv
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, { stdio: ['ignore', 'ignore', 'pipe'] })
    let errors = ''
    child.stderr.on('data', (chunk) => {
      errors += chunk
    })
    child.once('close', (code) => (code === 0 ? resolve() : reject(new Error(`${argv.join(' ')}: ${errors}`))))
  })
}

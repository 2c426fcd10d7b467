import { request } from 'node:http'
import type { Cluster } from '../e2e/support/cluster.ts'
import { until } from '../e2e/support/load.ts'
import type { InstanceView } from '../packages/api/src/index.ts'

/** Resolves at the first 200; looks again every 10 ms. */
export async function untilAnswers(
  url: string,
  headers: Record<string, string> = {},
  timeoutMs = 120_000,
): Promise<number> {
  await until(`200 from ${url}`, () => statusOf(url, headers).then((status) => status === 200), timeoutMs)
  return performance.now()
}

export function statusOf(url: string, headers: Record<string, string> = {}): Promise<number> {
  return new Promise((resolve, reject) => {
    const call = request(url, { headers, timeout: 2000, agent: false }, (response) => {
      response.resume()
      resolve(response.statusCode ?? 0)
    })
    call.once('timeout', () => call.destroy(new Error('time-out')))
    call.once('error', reject)
    call.end()
  })
}

export async function instances(cluster: Cluster, app: string): Promise<readonly InstanceView[]> {
  return (await cluster.client.list('listInstances', { query: { app } })).items
}

/** What `docker run --health-cmd` can do as well: a command inside, every ten seconds. */
export const commandProbe = "exec: [wget, -q, -O, /dev/null, 'http://127.0.0.1:8080/'], interval: 10s, timeout: 10s"
export const httpProbe = 'http: /'

/**
 * A web server of a few kilobytes, so that starting containers is what is measured and not the app. It asks for no CPU: fifty times
 * anything would be more than a small machine has.
 */
export const tinyApp = (replicas: number, probe: string, app = 'tiny'): Record<string, string> => ({
  'index.html': 'hello\n',
  'berth.yaml': `app: ${app}
build:
  base: berth/base:local
entrypoints:
  web:
    command: [httpd, -f, -p, '8080', -h, /app]
    memory: 64Mi
    replicas: ${replicas}
    ports: {http: 8080}
    health: {readiness: {${probe}}}
rollout: {surge: 50}
routes:
  - host: ${app}.test
    entrypoint: web
`,
})

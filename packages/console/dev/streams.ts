import type { LogLine } from '@berth/api/endpoints'
import type { InstanceView } from '@berth/api/instance-resources'

const paths = ['/', '/products/42', '/basket', '/api/stock?sku=77120', '/checkout', '/healthz']

/** A line of a web server's log, the same one for the same moment. */
export function serviceLine(instance: InstanceView, at: number): LogLine {
  const n = Math.floor(at / 100) + instance.id.length
  if (instance.type === 'job') {
    const part = 1 + Math.floor((at - (instance.startedAt ?? at)) / 700)
    return { at, instance: instance.id, stream: 'stdout', line: `batch ${part}: 5000 rows moved` }
  }
  const path = paths[n % paths.length] ?? '/'
  if (n % 23 === 0)
    return {
      at,
      instance: instance.id,
      stream: 'stderr',
      line: `warn slow query (${200 + (n % 400)} ms): select * from products where category = $1 order by sold desc limit 60`,
    }
  return {
    at,
    instance: instance.id,
    stream: 'stdout',
    line: `${n % 9 === 0 ? 'POST' : 'GET'} ${path} 200 ${3 + (n % 60)} ms`,
  }
}

export const buildLines: readonly (readonly [LogLine['stream'], string])[] = [
  ['system', 'fetched d3adb33f from the repository in 0.4 s'],
  ['system', 'inputs digest 9c1e07aa: no image has it, building on anchor-1 with 2 cores and 4 GiB'],
  ['stdout', 'Step 1/7 : FROM node:26-slim'],
  ['stdout', ' ---> 1f0c41f3b3a9'],
  ['stdout', 'Step 2/7 : COPY package.json package-lock.json /app/'],
  ['stdout', 'Step 3/7 : RUN npm ci'],
  ['stdout', '\u001b[32madded 212 packages in 6s\u001b[0m'],
  ['stderr', 'npm warn deprecated glob@7.2.3: no longer supported'],
  ['stdout', 'Step 4/7 : COPY . /app'],
  ['stdout', 'Step 5/7 : RUN npm run build'],
  ['stdout', 'built 118 modules in 2.31 s'],
  ['stdout', 'Successfully built 7be0a1c2d3e4'],
  ['system', 'image berth/shop@sha256:0d15ea5e (212 MiB) is ready'],
]

/** Test apps in one file of JavaScript on the image `berth/node:local`. */

/** Answers with its version and instance; `/slow` takes a while, `/crash` ends it, SIGTERM ends it after what it is serving. */
export const webSource = (version: string): string => `
const http = require('node:http')
const server = http.createServer((request, response) => {
  if (request.url === '/crash') process.exit(7)
  if (request.url === '/env') return response.end(JSON.stringify(process.env))
  if (request.url === '/ip') return response.end(request.headers['x-forwarded-for'] + ' ' + request.socket.remoteAddress)
  const answer = () => response.end(JSON.stringify({ version: '${version}', instance: process.env.BERTH_INSTANCE, release: process.env.BERTH_RELEASE }))
  if (request.url === '/slow') setTimeout(answer, 1500)
  else answer()
})
server.keepAliveTimeout = 30000
server.listen(process.env.PORT)
console.log('version ${version} listens')
process.on('SIGTERM', () => { console.log('bye'); server.close(() => process.exit(0)); server.closeIdleConnections() })
`

export interface WebOptions {
  readonly app?: string
  readonly replicas?: number
  readonly version?: string
  readonly extra?: string
  readonly entrypointExtra?: string
}

export function webApp({
  app = 'shop',
  replicas = 2,
  version = '1',
  extra = '',
  entrypointExtra = '',
}: WebOptions = {}): Record<string, string> {
  return {
    'server.js': webSource(version),
    'berth.yaml': `app: ${app}
build:
  base: berth/node:local
entrypoints:
  web:
    command: node server.js
    cpu: 0.1
    memory: 128Mi
    replicas: ${replicas}
    ports:
      http: 8080
    health:
      readiness:
        http: /
${entrypointExtra}
routes:
  - host: ${app}.test
    entrypoint: web
${extra}
`,
  }
}

import { join } from 'node:path'
import { MockServer, mockToken } from './mock-server.ts'

// `node packages/console/dev/main.ts [port]`: the built console with mock data; `vite packages/console` proxies to it as well.
const mock = await MockServer.start({
  port: Number(process.argv[2] ?? 7690),
  dist: join(import.meta.dirname, '../dist'),
})
process.stdout.write(`${mock.url}/login#token=${mockToken}\n`)

/** `relay.ts PORT SOCKET`: passes connections at 127.0.0.1:PORT of its network namespace on to a unix socket. */
import { connect, createServer } from 'node:net'

const [port, path] = process.argv.slice(2)
createServer({ allowHalfOpen: true }, (client) => {
  const server = connect({ path: path ?? '', allowHalfOpen: true })
  client.pipe(server).pipe(client)
  for (const [one, other] of [
    [client, server],
    [server, client],
  ] as const) {
    one.on('error', () => other.destroy())
    one.on('close', () => other.destroy())
  }
}).listen({ host: '127.0.0.1', port: Number(port) }, () => process.stdout.write('ready\n'))

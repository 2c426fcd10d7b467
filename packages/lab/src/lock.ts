import { createServer } from 'node:net'

/**
 * A lock between processes that the kernel frees with its holder: an abstract unix socket. Gives undefined when another holds it.
 * It spans the processes of one network namespace, which a machine's labs share anyway.
 */
export function tryLock(name: string): Promise<AsyncDisposable | undefined> {
  const server = createServer((connection) => connection.destroy())
  return new Promise((resolve, reject) => {
    server.once('error', (error: NodeJS.ErrnoException) => {
      if (error.code === 'EADDRINUSE') resolve(undefined)
      else reject(error)
    })
    server.listen(`\0${name}`, () => {
      server.unref()
      resolve({ [Symbol.asyncDispose]: () => new Promise((closed) => server.close(() => closed())) })
    })
  })
}

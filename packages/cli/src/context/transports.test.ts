import { execFileSync } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createServer } from 'node:tls'
import { expect, it } from 'vitest'
import { createTransport } from './transports.ts'

it('a server that closes the port of the agents without a word: the message says which port is meant', async () => {
  const directory = mkdtempSync(join(tmpdir(), 'berth-transport-'))
  const [key, pem] = [join(directory, 'key.pem'), join(directory, 'certificate.pem')]
  const subject = ['-subj', '/CN=server', '-days', '1', '-addext', 'subjectAltName=IP:127.0.76.1']
  const made = ['req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-keyout', key, '-out', pem, ...subject]
  execFileSync('openssl', made, { stdio: 'ignore' })
  const authorityPem = readFileSync(pem, 'utf8')
  const server = createServer({ key: readFileSync(key), cert: authorityPem }, (socket) => socket.destroy())
  try {
    await once(server.listen(7601, '127.0.76.1'), 'listening')
    const url = 'https://127.0.76.1:7601'
    const transport = createTransport({ type: 'tls', url, token: 'x', authorityPem })
    await expect(transport({ method: 'GET', path: '/v1/status', headers: {} })).rejects.toThrow(
      /broke off \(.*\); 7601 is the port that nodes dial, the API’s is 7600/,
    )
  } finally {
    server.close()
    rmSync(directory, { recursive: true })
  }
})

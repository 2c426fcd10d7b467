import { request } from 'node:http'
import type { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { BerthError } from '@berth/core'

export interface DockerCall {
  readonly method: 'GET' | 'POST' | 'DELETE'
  /** Without a version: the daemon takes its newest. */
  readonly path: string
  readonly json?: unknown
  readonly body?: Readable
  readonly contentType?: string
  readonly signal?: AbortSignal | undefined
}

export interface DockerReply {
  readonly status: number
  readonly text: string
}

/** `unix:///run/docker.sock` -> `/run/docker.sock` */
const socketPath = (dockerHost: string): string => {
  if (dockerHost.startsWith('unix://')) return dockerHost.slice('unix://'.length)
  throw new BerthError('lab.docker-host', `Docker address ${dockerHost}: only unix:///path is understood here`)
}

/** One request to a Docker Engine; any status is a reply, only a broken connection throws. */
export async function callDocker(dockerHost: string, call: DockerCall): Promise<DockerReply> {
  const payload = call.json === undefined ? undefined : JSON.stringify(call.json)
  const type = call.contentType ?? (payload === undefined ? undefined : 'application/json')
  const outgoing = request({
    socketPath: socketPath(dockerHost),
    method: call.method,
    path: call.path,
    headers: { host: 'docker', ...(type === undefined ? {} : { 'content-type': type }) },
    agent: false,
    ...(call.signal === undefined ? {} : { signal: call.signal }),
  })
  const reply = new Promise<DockerReply>((resolve, reject) => {
    outgoing.once('error', reject)
    outgoing.once('response', (response) => {
      const chunks: Buffer[] = []
      response.on('data', (chunk: Buffer) => chunks.push(chunk))
      response.once('error', reject)
      response.once('end', () =>
        resolve({ status: response.statusCode ?? 0, text: Buffer.concat(chunks).toString('utf8') }),
      )
    })
  })
  if (call.body === undefined) {
    outgoing.end(payload)
    return reply
  }
  const [, result] = await Promise.all([pipeline(call.body, outgoing), reply])
  return result
}

/** True once the daemon answers; a socket that is not there or refuses is no error. */
export const answersPing = (dockerHost: string, signal?: AbortSignal): Promise<boolean> =>
  callDocker(dockerHost, { method: 'GET', path: '/_ping', signal }).then(
    (reply) => reply.status === 200,
    () => false,
  )

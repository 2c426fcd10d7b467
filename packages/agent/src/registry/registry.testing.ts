import { createHash, createPrivateKey, createPublicKey, randomUUID, sign, X509Certificate } from 'node:crypto'
import { once } from 'node:events'
import { request } from 'node:https'
import { text } from 'node:stream/consumers'
import type { RegistryOrder } from '@berth/api'
import { freePort } from '@berth/api/testing/free-ports.testing'
import { placeText, type RegistryPlace } from '@berth/core'
import { TestAuthority } from '../testing/test-authority.ts'

/** What a server would order, and would sign. */
export class RegistryOrdering {
  readonly authority: TestAuthority
  readonly order: RegistryOrder
  readonly #tokenKeyPem: string

  private constructor(authority: TestAuthority, order: RegistryOrder, tokenKeyPem: string) {
    this.authority = authority
    this.order = order
    this.#tokenKeyPem = tokenKeyPem
  }

  static async make(address = '127.0.0.1', authority?: TestAuthority): Promise<RegistryOrdering> {
    const founded = authority ?? (await TestAuthority.found())
    const tokens = await founded.node('tokens')
    const { certificatePem, keyPem } = await founded.service(address)
    const order = {
      ...{ id: randomUUID(), address, port: await freePort(address), certificatePem, keyPem },
      tokenCertificatePem: tokens.certificatePem,
    }
    return new RegistryOrdering(founded, order, tokens.keyPem)
  }

  get host(): string {
    return `${this.order.address}:${this.order.port}`
  }

  token({ repository }: RegistryPlace, actions: readonly string[], over: object = {}): string {
    const key = createPrivateKey(this.#tokenKeyPem)
    const now = Math.floor(Date.now() / 1000)
    const head = { typ: 'JWT', alg: 'ES256', kid: keyIdOf(this.order.tokenCertificatePem) }
    const body = {
      ...{ iss: 'berth', sub: 'berth', aud: 'berth-registry', jti: randomUUID() },
      ...{ iat: now, nbf: now - 60, exp: now + 600, ...over },
      access: [{ type: 'repository', name: repository, actions }],
    }
    const signed = [head, body].map((part) => Buffer.from(JSON.stringify(part)).toString('base64url')).join('.')
    const signature = sign('sha256', Buffer.from(signed), { key, dsaEncoding: 'ieee-p1363' })
    return `${signed}.${signature.toString('base64url')}`
  }

  /** Pushes an image of one layer as Docker would; resolves to the status of its last step that was not refused. */
  async push(
    place: RegistryPlace,
    layer: Buffer,
    token = this.token(place, ['push', 'pull']),
    more: object = {},
  ): Promise<number> {
    const config = Buffer.from(JSON.stringify({ architecture: 'amd64', os: 'linux', layer: digestOf(layer), ...more }))
    for (const blob of [layer, config]) {
      const begun = await this.call('POST', `/v2/${place.repository}/blobs/uploads/`, token)
      if (begun.status !== 202) return begun.status
      const at = new URL(begun.location ?? '')
      at.searchParams.set('digest', digestOf(blob))
      const { status } = await this.call('PUT', `${at.pathname}${at.search}`, token, blob, 'application/octet-stream')
      if (status !== 201) return status
    }
    const type = 'application/vnd.docker.distribution.manifest.v2+json'
    const manifest = {
      ...{ schemaVersion: 2, mediaType: type },
      config: {
        ...{ mediaType: 'application/vnd.docker.container.image.v1+json', size: config.length },
        digest: digestOf(config),
      },
      layers: [
        {
          ...{ mediaType: 'application/vnd.docker.image.rootfs.diff.tar.gzip', size: layer.length },
          digest: digestOf(layer),
        },
      ],
    }
    const path = `/v2/${place.repository}/manifests/${place.tag}`
    return (await this.call('PUT', path, token, Buffer.from(JSON.stringify(manifest)), type)).status
  }

  /** 200 when it is there for who has this token. */
  async status(place: RegistryPlace, token = this.token(place, ['pull'])): Promise<number> {
    return (await this.call('GET', `/v2/${place.repository}/manifests/${place.tag}`, token)).status
  }

  async call(method: string, path: string, token?: string, body?: Buffer, type?: string) {
    const { address: host, port } = this.order
    const call = request({
      ...{ method, host, port, path, ca: this.authority.certificatePem, agent: false },
      headers: {
        accept: 'application/vnd.docker.distribution.manifest.v2+json',
        ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
        ...(type === undefined ? {} : { 'content-type': type }),
      },
    })
    call.end(body)
    const [response] = await once(call, 'response')
    const said = await text(response)
    return { status: Number(response.statusCode), said, location: response.headers.location as string | undefined }
  }
}

/** A place for a test: the tag of an image that does not exist. */
export const placeOf = (app: string, digit: string): RegistryPlace => ({
  repository: `berth/app-${app}`,
  tag: digit.repeat(64),
})

export const namesOf = (images: readonly RegistryPlace[]): string[] => images.map(placeText).sort()

const digestOf = (bytes: Buffer): string => `sha256:${createHash('sha256').update(bytes).digest('hex')}`

/** As libtrust names keys; said again here, apart from the server's. */
function keyIdOf(certificatePem: string): string {
  const key = createPublicKey(new X509Certificate(certificatePem).publicKey.export({ format: 'pem', type: 'spki' }))
  const digest = createHash('sha256')
    .update(key.export({ format: 'der', type: 'spki' }))
    .digest()
  const letters = 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567'
  let bits = 0n
  for (const byte of digest.subarray(0, 30)) bits = (bits << 8n) | BigInt(byte)
  let id = ''
  for (let at = 47; at >= 0; at -= 1) id += letters[Number((bits >> BigInt(at * 5)) & 31n)]
  return (id.match(/.{4}/g) ?? []).join(':')
}

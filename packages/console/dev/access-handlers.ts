import { X509Certificate } from 'node:crypto'
import type { Answer } from '@berth/api/client'
import { BerthError } from '@berth/core/model/berth-error'
import { type JsonHandlers, need } from './handlers.ts'
import type { MockStore } from './mock-store.ts'

/** Secrets, tokens, certificates and nodes. */
export function accessHandlers(store: MockStore): JsonHandlers {
  return {
    setSecret: ({ params: { app = '', name = '' }, body }) => setSecret(store, app, name, body.environment),
    removeSecret: ({ params: { name = '' }, query: { environment } }) => {
      store.remove('listSecrets', `${environment ?? '_'}/${name}`)
      return { ok: true }
    },
    createToken: ({ body: { name, owner, role, ttlMs } }) => {
      if (store.get('listTokens', name) !== undefined)
        throw new BerthError(
          'token.exists',
          `there is a token ${name} already; choose another name, or revoke it first`,
        )
      const until = ttlMs === undefined ? {} : { expiresAt: Date.now() + ttlMs }
      const token = { name, owner, role, createdAt: Date.now(), createdBy: 'token:dev', ...until }
      return { ...store.put('listTokens', token), token: `berth_${name}_v9Qm2xT7Lr4Kc8Wd1Zf6Hn3Ys5Jp0Ga` }
    },
    removeToken: ({ params: { name = '' } }) => {
      need(store.get('listTokens', name), `token ${name}`)
      store.remove('listTokens', name)
      return { ok: true }
    },
    setCertificate: ({ params: { name = '' }, body }) => setCertificate(store, name, body.certificatePem),
    removeCertificate: ({ params: { name = '' } }) => {
      need(store.get('listCertificates', name), `certificate ${name}`)
      store.remove('listCertificates', name)
      return { ok: true }
    },
    drainNode: ({ params: { name = '' }, body: { limit } }) =>
      store.put('listNodes', {
        ...need(store.get('listNodes', name), `node ${name}`),
        drain: { since: Date.now(), by: 'token:dev', limit },
      }),
    undrainNode: ({ params: { name = '' } }) => {
      const { drain: _, ...node } = need(store.get('listNodes', name), `node ${name}`)
      return store.put('listNodes', node)
    },
    decideApproval: ({ params: { app = '', pool = '', entrypoint = '' }, body: { decision } }) =>
      store.put('listApprovals', {
        ...need(store.get('listApprovals', `${app}/${pool}/${entrypoint}`), `approval ${app}/${pool}/${entrypoint}`),
        state: decision === 'approve' ? 'approved' : 'denied',
      }),
    removeNode: ({ params: { name = '' } }) => {
      const { instances } = need(store.get('listNodes', name), `node ${name}`)
      if (instances > 0)
        throw new BerthError(
          'node.in-use',
          `remove node ${name}: ${instances} instances are assigned to it; cordon it (berth node cordon ${name}) and restart their pools, so that they move`,
        )
      store.remove('listNodes', name)
      return { ok: true }
    },
  }
}

function setSecret(store: MockStore, app: string, name: string, environment: string | undefined): Answer<'setSecret'> {
  const version = (store.get('listSecrets', `${environment ?? '_'}/${name}`)?.version ?? 0) + 1
  const scope = environment === undefined ? {} : { environment }
  return store.put('listSecrets', { app, name, ...scope, version, updatedAt: Date.now(), updatedBy: 'token:dev' })
}

function setCertificate(store: MockStore, name: string, pem: string): Answer<'setCertificate'> {
  try {
    const leaf = new X509Certificate(pem)
    const hosts = [...(leaf.subjectAltName ?? '').matchAll(/DNS:([^,\s]+)/g)].map((match) => match[1] ?? '')
    return store.put('listCertificates', {
      name,
      hosts,
      notBefore: leaf.validFromDate.getTime(),
      notAfter: leaf.validToDate.getTime(),
      updatedAt: Date.now(),
      updatedBy: 'token:dev',
    })
  } catch {
    throw new BerthError('certificate.invalid', `set certificate ${name}: the certificate is no PEM`)
  }
}

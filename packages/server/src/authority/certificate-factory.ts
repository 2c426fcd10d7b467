// The certificate library needs the metadata polyfill before it loads.
import 'reflect-metadata'
import { createPublicKey, randomBytes, webcrypto } from 'node:crypto'
import { isIP } from 'node:net'
import { BerthError } from '@berth/core'
import * as x509 from '@peculiar/x509'

/**
 * Makes certificates. The library weighs 7 MB of memory and is needed at the first start, at renewals and at joins only, so this file
 * is loaded on demand (`await import`); nothing else may import it statically.
 */
export interface KeyPairPem {
  readonly certificatePem: string
  readonly keyPem: string
}

export interface Validity {
  readonly notBefore: Date
  readonly notAfter: Date
}

const algorithm = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' } as const

x509.cryptoProvider.set(webcrypto)

/**
 * Every key of the authority bears the same name: the certificate that the key before signs for the next is then “self-issued”, which
 * the roots' path length of 0 allows (RFC 5280 §4.2.1.9). Keys are told apart by their identifiers.
 */
export async function createAuthority(validity: Validity): Promise<KeyPairPem> {
  const keys = await webcrypto.subtle.generateKey(algorithm, true, ['sign', 'verify'])
  const certificate = await x509.X509CertificateGenerator.createSelfSigned({
    name: [{ CN: ['Berth cluster authority'] }, { O: ['Berth'] }],
    serialNumber: serialNumber(),
    ...validity,
    signingAlgorithm: algorithm,
    keys,
    extensions: await authorityExtensions(keys.publicKey),
  })
  return { certificatePem: pemText(certificate), keyPem: await exportKey(keys.privateKey) }
}

/** The next authority's key, signed by the present one: who trusts this one trusts the next, for as long as this one is good. */
export async function signAuthority(present: KeyPairPem, nextCertificatePem: string): Promise<string> {
  const next = new x509.X509Certificate(nextCertificatePem)
  const issuer = new x509.X509Certificate(present.certificatePem)
  const publicKey = await next.publicKey.export()
  const certificate = await x509.X509CertificateGenerator.create({
    subject: next.subjectName.toJSON(),
    issuer: issuer.subjectName.toJSON(),
    serialNumber: serialNumber(),
    notBefore: next.notBefore,
    notAfter: issuer.notAfter,
    signingAlgorithm: algorithm,
    publicKey,
    signingKey: await importKey(present.keyPem),
    extensions: [
      ...(await authorityExtensions(publicKey)),
      await x509.AuthorityKeyIdentifierExtension.create(issuer.publicKey),
    ],
  })
  return pemText(certificate)
}

const authorityExtensions = async (publicKey: webcrypto.CryptoKey): Promise<x509.Extension[]> => [
  new x509.BasicConstraintsExtension(true, 0, true),
  new x509.KeyUsagesExtension(x509.KeyUsageFlags.keyCertSign | x509.KeyUsageFlags.cRLSign, true),
  await x509.SubjectKeyIdentifierExtension.create(publicKey),
]

/** A certificate for servers, valid for these host names and addresses. */
export async function createServerCertificate(
  authority: KeyPairPem,
  hosts: readonly string[],
  validity: Validity,
): Promise<KeyPairPem> {
  const keys = await webcrypto.subtle.generateKey(algorithm, true, ['sign', 'verify'])
  const names = hosts.map((host) => ({ type: isIP(host) === 0 ? ('dns' as const) : ('ip' as const), value: host }))
  const certificatePem = await sign(authority, {
    subject: hosts[0] ?? 'berth-server',
    publicKey: keys.publicKey,
    validity,
    usage: x509.ExtendedKeyUsage.serverAuth,
    extensions: [new x509.SubjectAlternativeNameExtension(names)],
  })
  return { certificatePem, keyPem: await exportKey(keys.privateKey) }
}

/** A certificate that says nothing but what the public part of a key is, for programs that take keys in no other form. */
export async function createKeyCertificate(keyPem: string, name: string): Promise<string> {
  const spki = createPublicKey(keyPem).export({ format: 'der', type: 'spki' })
  const certificate = await x509.X509CertificateGenerator.createSelfSigned({
    name: [{ CN: [name] }],
    serialNumber: serialNumber(),
    // The key is as good as the secret that it is made of.
    notBefore: new Date(0),
    notAfter: new Date('2200-01-01T00:00:00Z'),
    signingAlgorithm: algorithm,
    keys: {
      privateKey: await importKey(keyPem),
      publicKey: await webcrypto.subtle.importKey('spki', spki, algorithm, true, ['verify']),
    },
    extensions: [new x509.BasicConstraintsExtension(true, 0, true)],
  })
  return pemText(certificate)
}

/** Signs a node's request. The request's own name must be the node's, and it must prove that its sender has the key. */
export async function signNodeRequest(
  authority: KeyPairPem,
  request: { readonly requestPem: string; readonly node: string; readonly validity: Validity },
): Promise<string> {
  const { node } = request
  const parsed = parseRequest(request.requestPem, node)
  const names = parsed.subjectName.getField('CN')
  if (names.length !== 1 || names[0] !== node) {
    throw badRequest(node, `its name is ${JSON.stringify(names[0] ?? '')}; the common name must be the node's name`)
  }
  const key = createPublicKey({ key: Buffer.from(parsed.publicKey.rawData), format: 'der', type: 'spki' })
  if (key.asymmetricKeyDetails?.namedCurve !== 'prime256v1') throw badRequest(node, 'its key must be ECDSA P-256')
  if (!(await parsed.verify())) throw badRequest(node, 'its signature does not match its key')
  return await sign(authority, {
    subject: node,
    publicKey: await parsed.publicKey.export(),
    validity: request.validity,
    usage: x509.ExtendedKeyUsage.clientAuth,
    extensions: [],
  })
}

interface SignInput {
  readonly subject: string
  readonly publicKey: webcrypto.CryptoKey
  readonly validity: Validity
  readonly usage: x509.ExtendedKeyUsage
  readonly extensions: readonly x509.Extension[]
}

async function sign(authority: KeyPairPem, input: SignInput): Promise<string> {
  const issuer = new x509.X509Certificate(authority.certificatePem)
  const certificate = await x509.X509CertificateGenerator.create({
    subject: [{ CN: [input.subject] }],
    issuer: issuer.subjectName.toJSON(),
    serialNumber: serialNumber(),
    ...input.validity,
    signingAlgorithm: algorithm,
    publicKey: input.publicKey,
    signingKey: await importKey(authority.keyPem),
    extensions: [
      new x509.BasicConstraintsExtension(false, undefined, true),
      new x509.KeyUsagesExtension(x509.KeyUsageFlags.digitalSignature, true),
      new x509.ExtendedKeyUsageExtension([input.usage]),
      await x509.AuthorityKeyIdentifierExtension.create(issuer.publicKey),
      await x509.SubjectKeyIdentifierExtension.create(input.publicKey),
      ...input.extensions,
    ],
  })
  return pemText(certificate)
}

function parseRequest(pem: string, node: string): x509.Pkcs10CertificateRequest {
  try {
    return new x509.Pkcs10CertificateRequest(pem)
  } catch (cause) {
    throw badRequest(node, 'it is no PKCS#10 request in PEM', cause)
  }
}

const badRequest = (node: string, why: string, cause?: unknown): BerthError =>
  new BerthError('join.invalid-request', `sign the certificate request of node ${node}: ${why}`, { cause })

async function exportKey(key: webcrypto.CryptoKey): Promise<string> {
  return `${x509.PemConverter.encode(await webcrypto.subtle.exportKey('pkcs8', key), 'PRIVATE KEY')}\n`
}

async function importKey(pem: string): Promise<webcrypto.CryptoKey> {
  return await webcrypto.subtle.importKey('pkcs8', x509.PemConverter.decodeFirst(pem), algorithm, false, ['sign'])
}

const pemText = (certificate: x509.X509Certificate): string => `${certificate.toString('pem')}\n`

/** 127 random bits, positive. */
function serialNumber(): string {
  const bytes = randomBytes(16)
  bytes[0] = ((bytes[0] ?? 0) & 0x7f) | 0x40
  return bytes.toString('hex')
}

/** Keys whose values never reach a log, wherever in a line they stand (up to two levels deep). */
const secretKeys = [
  'authorization',
  'cookie',
  'token',
  'password',
  'login',
  'secret',
  'secrets',
  'value',
  'sealed',
  'sealedKey',
  'keyPem',
  'certificateRequestPem',
  'env',
]

/** For pino: a second line of defence, since nothing logs such values on purpose. */
export const redaction = {
  paths: secretKeys.flatMap((key) => [key, `*.${key}`, `*.*.${key}`]),
  censor: '[redacted]',
}

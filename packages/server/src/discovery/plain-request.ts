/** A question without a body, as {@link readPlainRequest} takes it apart. */
export interface PlainRequest {
  /** `/v1/kv/a?index=7`. */
  readonly url: string
  /** By their names in lower case; each once. */
  readonly headers: Readonly<Record<string, string>>
}

const maxLength = 8_192
const end = '\r\n\r\n'
const requestLine = /^GET (\/[!-~]*) HTTP\/1\.1$/
/** No empty name, no blank before the colon, nothing but visible ASCII, blanks and tabs. */
const headerLine = /^([!#$%&'*+.^_`|~0-9A-Za-z-]+):[ \t]*((?:[!-~](?:[ \t]*[!-~])*)?)[ \t]*$/
/** They make a request something else than a plain one. */
const special = new Set(['content-length', 'transfer-encoding', 'upgrade', 'expect', 'te', 'trailer', 'connection'])

/**
 * One whole GET of HTTP/1.1 that wants its connection kept, and nothing before or behind it. undefined for anything else, also for what is
 * only unusual: a full parser has to look at that.
 */
export function readPlainRequest(bytes: Buffer): PlainRequest | undefined {
  if (bytes.length > maxLength || bytes.length < end.length) return undefined
  const text = bytes.toString('latin1')
  if (text.indexOf(end) !== text.length - end.length) return undefined
  const lines = text.slice(0, -end.length).split('\r\n')
  const url = requestLine.exec(lines[0] ?? '')?.[1]
  if (url === undefined) return undefined
  const headers: Record<string, string> = Object.create(null)
  for (let at = 1; at < lines.length; at += 1) {
    const found = headerLine.exec(lines[at] ?? '')
    if (found === null) return undefined
    const [name, value] = [(found[1] ?? '').toLowerCase(), found[2] ?? '']
    if (name in headers) return undefined
    if (special.has(name) && !(name === 'connection' && value.toLowerCase() === 'keep-alive')) return undefined
    headers[name] = value
  }
  return headers.host === undefined ? undefined : { url, headers }
}

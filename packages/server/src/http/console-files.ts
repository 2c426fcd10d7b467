import { readFile } from 'node:fs/promises'
import { extname, join, normalize } from 'node:path'
import type { FastifyReply, FastifyRequest } from 'fastify'
import { errorBody } from './error-status.ts'

/** The built console: a folder in source form, assets inside the executable. Paths are relative: `index.html`, `assets/a1.js`. */
export interface ConsoleFiles {
  read(path: string): Promise<Uint8Array | undefined>
}

export const directoryFiles = (directory: string): ConsoleFiles => ({
  read: async (path) => {
    try {
      return await readFile(join(directory, path))
    } catch (error) {
      if (['ENOENT', 'EISDIR', 'ENOTDIR'].includes((error as NodeJS.ErrnoException).code ?? '')) return undefined
      throw error
    }
  },
})

const types: Readonly<Record<string, string>> = {
  '.css': 'text/css; charset=utf-8',
  '.html': 'text/html; charset=utf-8',
  '.ico': 'image/x-icon',
  '.js': 'text/javascript; charset=utf-8',
  '.json': 'application/json',
  '.map': 'application/json',
  '.png': 'image/png',
  '.svg': 'image/svg+xml',
  '.txt': 'text/plain; charset=utf-8',
  '.webmanifest': 'application/manifest+json',
  '.woff2': 'font/woff2',
}

/** Own scripts only; styles may be inline, since charts and the terminal set some. */
const contentSecurityPolicy =
  "default-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; connect-src 'self'; object-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"

/** A file, or for any other address the console's page, which finds out itself what to show there. */
export async function serveConsole(
  files: ConsoleFiles,
  path: string,
  request: FastifyRequest,
  reply: FastifyReply,
): Promise<unknown> {
  const wanted = safePath(path)
  const extension = extname(wanted)
  const file = extension === '' ? undefined : await files.read(wanted)
  if (file !== undefined) return await send(reply, file, extension, wanted.startsWith('assets/'))
  const page = extension === '' || acceptsPage(request) ? await files.read('index.html') : undefined
  if (page !== undefined) return await send(reply, page, '.html', false)
  return await reply.code(404).send(errorBody('request.not-found', `the console has no file ${path.slice(0, 200)}`))
}

/** What the bundler puts into `assets/` has its digest in its name, and so never changes. */
async function send(reply: FastifyReply, file: Uint8Array, extension: string, immutable: boolean): Promise<unknown> {
  return await reply
    .header('content-type', types[extension] ?? 'application/octet-stream')
    .header('cache-control', immutable ? 'public, max-age=31536000, immutable' : 'no-cache')
    .header('content-security-policy', contentSecurityPolicy)
    .header('referrer-policy', 'no-referrer')
    .header('x-frame-options', 'DENY')
    .send(Buffer.from(file.buffer, file.byteOffset, file.byteLength))
}

/** No way out of the folder: `..` is resolved against its top, and what does not decode is no file. */
function safePath(path: string): string {
  try {
    const decoded = decodeURIComponent(path)
    return decoded.includes('\0') ? '' : normalize(`/${decoded}`).slice(1)
  } catch {
    return ''
  }
}

const acceptsPage = (request: FastifyRequest): boolean => (request.headers.accept ?? '').includes('text/html')

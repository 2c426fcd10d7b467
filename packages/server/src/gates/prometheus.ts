import { z } from 'zod'
import { failureText } from '../hooks/failure-text.ts'
import { postForm } from './post-form.ts'

/** What Prometheus says now. `none`: nothing that can be compared, and why. */
export type QueryAnswer =
  | { readonly type: 'value'; readonly values: readonly number[] }
  | { readonly type: 'none'; readonly message: string }

const timeoutMs = 5000
const maxAnswerBytes = 1 << 20

const sample = z.tuple([z.number(), z.string()])
const answer = z.union([
  z.object({ status: z.literal('error'), error: z.string() }),
  z.object({
    status: z.literal('success'),
    data: z.discriminatedUnion('resultType', [
      z.object({ resultType: z.literal('vector'), result: z.array(z.object({ value: sample })) }),
      z.object({ resultType: z.literal('scalar'), result: sample }),
      z.object({ resultType: z.literal('matrix') }),
      z.object({ resultType: z.literal('string') }),
    ]),
  }),
])

/** How to be let in, where that is asked for. */
export interface PrometheusAccess {
  /** Absent: the secret is a token. */
  readonly user?: string | undefined
  readonly secret?: string | undefined
  /** PEM: who has signed its certificate. */
  readonly ca?: string | undefined
}

/** Asks a Prometheus server by its HTTP API. Never throws: what goes wrong is an answer too. */
export async function queryPrometheus(
  url: string,
  query: string,
  signal: AbortSignal,
  { user, secret, ca }: PrometheusAccess = {},
): Promise<QueryAnswer> {
  try {
    const { status, text } = await postForm({
      url: new URL('api/v1/query', url.endsWith('/') ? url : `${url}/`),
      form: { query, timeout: `${timeoutMs / 1000}s` },
      authorization: authorizationOf(user, secret),
      ...{ ca, maxBytes: maxAnswerBytes },
      signal: AbortSignal.any([signal, AbortSignal.timeout(timeoutMs)]),
    })
    if (status === 401 || status === 403)
      return { type: 'none', message: `Prometheus lets nobody in without a secret that it knows (${status})` }
    return readAnswer(status, text)
  } catch (error) {
    return { type: 'none', message: `Prometheus does not answer: ${failureText(error)}` }
  }
}

function authorizationOf(user: string | undefined, secret: string | undefined): string | undefined {
  if (secret === undefined) return undefined
  return user === undefined ? `Bearer ${secret}` : `Basic ${Buffer.from(`${user}:${secret}`).toString('base64')}`
}

function readAnswer(status: number, text: string): QueryAnswer {
  let json: unknown
  try {
    json = JSON.parse(text)
  } catch {
    return { type: 'none', message: `Prometheus answered ${status}, which is no answer to a query` }
  }
  const read = answer.safeParse(json)
  if (!read.success) return { type: 'none', message: `Prometheus answered ${status}, which is no answer to a query` }
  if (read.data.status === 'error') return { type: 'none', message: `Prometheus refuses it: ${read.data.error}` }
  const { data } = read.data
  if (data.resultType === 'matrix' || data.resultType === 'string')
    return { type: 'none', message: `the query gives a ${data.resultType}: a number, or a list of them, is needed` }
  const samples = data.resultType === 'scalar' ? [data.result] : data.result.map(({ value }) => value)
  const values = samples.map(([, value]) => Number(value))
  if (values.length === 0) return { type: 'none', message: 'the query gives nothing' }
  if (values.some((value) => Number.isNaN(value))) return { type: 'none', message: 'the query gives no number' }
  return { type: 'value', values }
}

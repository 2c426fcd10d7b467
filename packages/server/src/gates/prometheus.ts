import { z } from 'zod'
import { failureText } from '../hooks/failure-text.ts'

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

/** Asks a Prometheus server by its HTTP API. Never throws: what goes wrong is an answer too. */
export async function queryPrometheus(url: string, query: string, signal: AbortSignal): Promise<QueryAnswer> {
  try {
    const response = await fetch(new URL('api/v1/query', url.endsWith('/') ? url : `${url}/`), {
      method: 'POST',
      body: new URLSearchParams({ query, timeout: `${timeoutMs / 1000}s` }),
      redirect: 'error',
      signal: AbortSignal.any([signal, AbortSignal.timeout(timeoutMs)]),
    })
    const text = await readBounded(response)
    return readAnswer(response.status, text)
  } catch (error) {
    return { type: 'none', message: `Prometheus does not answer: ${failureText(error)}` }
  }
}

async function readBounded(response: Response): Promise<string> {
  const parts: Uint8Array[] = []
  let size = 0
  for await (const part of response.body ?? []) {
    size += part.length
    if (size > maxAnswerBytes) throw new Error(`the answer is larger than ${maxAnswerBytes} bytes`)
    parts.push(part)
  }
  return Buffer.concat(parts).toString('utf8')
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

/** Lines of a UTF-8 stream, without their ends; a last line without one counts too. */
export async function* readLines(body: AsyncIterable<Uint8Array>): AsyncGenerator<string> {
  const decoder = new TextDecoder()
  let rest = ''
  for await (const chunk of body) {
    const parts = (rest + decoder.decode(chunk, { stream: true })).split('\n')
    rest = parts.pop() ?? ''
    for (const part of parts) yield part.endsWith('\r') ? part.slice(0, -1) : part
  }
  rest += decoder.decode()
  if (rest !== '') yield rest
}

export interface ServerSentEvent {
  readonly type: string
  readonly data: string
  readonly id?: string
}

/** Events of a `text/event-stream`, as the HTML standard parses them; comments (keep-alives) are dropped. */
export async function* readServerSentEvents(body: AsyncIterable<Uint8Array>): AsyncGenerator<ServerSentEvent> {
  let type = 'message'
  let data: string[] = []
  let id: string | undefined
  for await (const line of readLines(body)) {
    if (line === '') {
      if (data.length > 0) yield { type, data: data.join('\n'), ...(id === undefined ? {} : { id }) }
      type = 'message'
      data = []
      continue
    }
    const colon = line.indexOf(':')
    const field = colon === -1 ? line : line.slice(0, colon)
    const value = colon === -1 ? '' : line.slice(colon + 1).replace(/^ /, '')
    if (field === 'event') type = value
    else if (field === 'data') data.push(value)
    else if (field === 'id') id = value
  }
}

import { createSocket, type Socket } from 'node:dgram'
import { once } from 'node:events'
import { createServer, type Server } from 'node:net'
import dnsPacket from 'dns-packet'

type Answers = Partial<dnsPacket.Packet> | undefined

/** What a test resolver says to a question; undefined: nothing. */
export type Say = (question: dnsPacket.Question, transport: 'udp' | 'tcp') => Answers

export interface TestResolver extends AsyncDisposable {
  readonly port: number
  readonly asked: readonly { readonly name: string; readonly type: string; readonly transport: 'udp' | 'tcp' }[]
  say: Say
}

/** Another resolver, on an address of this machine, that says what the test wants. */
export async function startTestResolver(say: Say, address = '127.0.0.1', port = 0): Promise<TestResolver> {
  const asked: { name: string; type: string; transport: 'udp' | 'tcp' }[] = []
  const resolver = { say }
  const answer = (message: Buffer, transport: 'udp' | 'tcp'): Buffer | undefined => {
    const query = dnsPacket.decode(message)
    const question = query.questions?.[0] as dnsPacket.Question
    asked.push({ name: question.name, type: question.type, transport })
    const said = resolver.say(question, transport)
    if (said === undefined) return undefined
    const { id, questions } = query
    return dnsPacket.encode({ type: 'response', ...said, id: id ?? 0, questions: said.questions ?? questions ?? [] })
  }
  const tcp = createServer((socket) => {
    socket.on('error', () => {})
    socket.on('data', (data) => {
      const said = answer(Buffer.from(data).subarray(2), 'tcp')
      if (said !== undefined) socket.end(Buffer.concat([Buffer.from([said.length >> 8, said.length & 255]), said]))
    })
  })
  const udp = await listen(tcp, address, port)
  udp.on('message', (message, from) => {
    const said = answer(message, 'udp')
    if (said !== undefined) udp.send(said, from.port, from.address)
  })
  return Object.assign(resolver, {
    port: udp.address().port,
    asked,
    async [Symbol.asyncDispose]() {
      udp.close()
      tcp.close()
      await once(tcp, 'close')
    },
  })
}

/** The same port twice; one that is free for the one kind may be taken for the other. */
async function listen(tcp: Server, address: string, port: number, tries = 20): Promise<Socket> {
  const udp = createSocket(address.includes(':') ? 'udp6' : 'udp4')
  try {
    udp.bind(port, address)
    await once(udp, 'listening')
    tcp.listen(udp.address().port, address)
    await once(tcp, 'listening')
    return udp
  } catch (error) {
    udp.close()
    if (port !== 0 || tries === 0) throw error
    return await listen(tcp, address, port, tries - 1)
  }
}

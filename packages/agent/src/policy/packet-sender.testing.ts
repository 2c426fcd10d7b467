/** Runs in a namespace: sends the first packet of each connection that a line of its input lists as JSON, and answers with a line. */
import { type ChildProcess, spawn } from 'node:child_process'
import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { createInterface } from 'node:readline'
import type { Packet } from '@berth/core'

const open = new Set<Socket | ChildProcess>()

async function sendDatagram({ source, destination, sourcePort, destinationPort }: Packet): Promise<void> {
  const socket = createSocket(source.includes(':') ? 'udp6' : 'udp4')
  socket.bind({ address: source, port: sourcePort ?? 0 })
  await once(socket, 'listening')
  await new Promise<void>((resolve) => socket.send('x', destinationPort ?? 0, destination, () => resolve()))
  socket.close()
}

function sendSyn({ source, destination, sourcePort, destinationPort }: Packet): void {
  const socket = connect({
    host: destination,
    port: destinationPort ?? 0,
    localAddress: source,
    localPort: sourcePort ?? 0,
  })
  open.add(socket.on('error', () => {}))
}

function ping({ source, destination }: Packet): void {
  open.add(
    spawn('busybox', [source.includes(':') ? 'ping6' : 'ping', '-c', '1', '-W', '5', '-I', source, destination], {
      stdio: 'ignore',
    }),
  )
}

for await (const line of createInterface({ input: process.stdin })) {
  for (const each of open) {
    if ('destroy' in each) each.destroy()
    else each.kill('SIGKILL')
  }
  open.clear()
  for (const packet of JSON.parse(line) as Packet[]) {
    if (packet.protocol === 'udp') await sendDatagram(packet)
    else if (packet.protocol === 'tcp') sendSyn(packet)
    else ping(packet)
  }
  process.stdout.write('sent\n')
}
process.exit(0)

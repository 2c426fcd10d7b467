/**
 * `gate-probe.ts OWN_ADDRESS NEXT_ADDRESS` in the network of an instance: every two milliseconds sends two packets to the next instance, each from a port that was never
 * used before, so that rules and no known connection decide: one to the gate, one to the port that is always open. Of what comes from the one before, it prints a line
 * `open` or `closed` with the time (of the clock that all processes of a machine share) at which the first packet was sent that met the gate so.
 */
import { createSocket, type Socket } from 'node:dgram'
import { gatePort, markPort, nowMs } from './gate.ts'

const intervalMs = 2
/** A packet may be late, and so come after the mark that was sent behind it. */
const agreeing = 4

function sendOnce(port: number, address: string, text: string): Promise<void> {
  return new Promise((resolve) => {
    const socket = createSocket('udp4')
    socket.once('error', () => resolve())
    socket.send(text, port, address, () => socket.close(() => resolve()))
  })
}

function listen(port: number, address: string, onMessage: (text: string) => void): Socket {
  const socket = createSocket('udp4')
  socket.on('message', (message) => onMessage(message.toString()))
  socket.bind(port, address)
  return socket
}

if (import.meta.main) {
  const [own = '', next = ''] = process.argv.slice(2)
  let passed = -1
  let told: boolean | undefined
  let other: { readonly sentAt: string; count: number } | undefined
  listen(gatePort, own, (text) => {
    passed = Math.max(passed, Number(text))
  })
  listen(markPort, own, (text) => {
    const [number, sentAt = ''] = text.split(' ')
    const isOpen = passed >= Number(number)
    if (isOpen === told) other = undefined
    else if (other === undefined) other = { sentAt, count: 1 }
    else if (++other.count === agreeing) {
      console.log(`${isOpen ? 'open' : 'closed'} ${other.sentAt}`)
      told = isOpen
      other = undefined
    }
  })
  let number = 0
  setInterval(async () => {
    const [mine, sentAt] = [number++, nowMs()]
    await sendOnce(gatePort, next, String(mine))
    await sendOnce(markPort, next, `${mine} ${sentAt}`)
  }, intervalMs)
}

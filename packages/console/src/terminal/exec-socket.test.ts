import { expect, it } from 'vitest'
import { execAddress } from './exec-socket.ts'

it.each([
  [
    'https:',
    ['sh'],
    'wss://berth.example:7600/v1/instances/shop.production.web-4/exec?command=sh&tty=true&columns=80&rows=24',
  ],
  [
    'http:',
    ['ls', '-l /'],
    'ws://berth.example:7600/v1/instances/shop.production.web-4/exec?command=ls&command=-l+%2F&tty=true&columns=80&rows=24',
  ],
])('%s %j', (protocol, command, expected) => {
  const size = { columns: 80, rows: 24 }
  expect(execAddress({ protocol, host: 'berth.example:7600' }, 'shop.production.web-4', command, size)).toBe(expected)
})

import { expect, it } from 'vitest'
import { checkPathParameters } from './validate.ts'

const check = (path: string, params: Record<string, string>) => () => checkPathParameters(path, params)

it('lets an address of either version be asked for, and nothing else that is no name', () => {
  const of = (address: string) => check('/v1/addresses/:address', { address })
  for (const address of ['10.77.3.5', 'fd77:1::a4d:305', '::1', 'FD77::10.77.3.5']) expect(of(address)).not.toThrow()
  for (const address of ['', ':', 'fd77::1/64', 'fe80::1%eth0', 'a:b;c', '..', '1..2', `::${'1'.repeat(50)}`])
    expect(of(address)).toThrow('begins with a letter or digit')
  expect(check('/v1/nodes/:name', { name: 'fd77::1' })).toThrow('node name')
})

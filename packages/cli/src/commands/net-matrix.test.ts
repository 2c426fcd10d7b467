import type { NetMatrix } from '@berth/api'
import { expect, it } from 'vitest'
import { matrixListing, matrixRows } from './net-matrix.ts'

it('says for each two what may pass', () => {
  const party = (name: string, kind: 'instances' | 'outside' = 'instances') => ({
    name,
    kind,
    profiles: [],
    addresses: 1,
  })
  const parties = [party('shop/production/web'), party('', 'outside')]
  const cell = (verdict: 'all' | 'some' | 'none' | 'unasked', allows: string[] = [], isMixed = false) => ({
    ...{ verdict, allows, isMixed },
  })
  const matrix: NetMatrix = {
    from: { parties, total: 2, offset: 0 },
    to: { parties, total: 2, offset: 0 },
    cells: [
      [cell('none'), cell('some', ['tcp:443', 'icmp'], true)],
      [cell('some', ['any'], true), cell('unasked')],
    ],
  }
  expect(matrixRows(matrix).map(matrixListing.row)).toEqual([
    ['shop/production/web', 'shop/production/web', 'nothing'],
    ['shop/production/web', 'outside', 'tcp:443 icmp (not for all)'],
    ['outside', 'shop/production/web', 'everything (not for all)'],
  ])
})

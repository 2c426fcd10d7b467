import type { CertificateView, RouteView } from '@berth/api/traffic-resources'
import { describe, expect, it } from 'vitest'
import { covers, expiryOf, hostsOnlyBy, uncoveredHosts } from './certificates.ts'

const certificate = (name: string, ...hosts: string[]): CertificateView => ({
  name,
  hosts,
  notBefore: 1,
  notAfter: 2,
  updatedAt: 1,
  updatedBy: 'token:ci',
})
const route = (host: string, tls: RouteView['tls'] = 'on'): RouteView => ({
  url: `https://${host}/`,
  host,
  path: '/',
  app: 'shop',
  pool: 'production',
  entrypoint: 'web',
  tls,
  members: [],
})

it.each([
  ['a.example.com', 'a.example.com', true],
  ['*.example.com', 'a.example.com', true],
  ['*.example.com', 'a.b.example.com', false],
  ['*.example.com', 'example.com', false],
  ['a.example.com', 'b.example.com', false],
])('%s covers %s: %s', (name, host, expected) => expect(covers(name, host)).toBe(expected))

it.each([
  [-1, 'expired'],
  [6, 'alarm'],
  [29, 'soon'],
  [31, 'fine'],
])('after %i days: %s', (days, expected) => expect(expiryOf(days * 86_400_000, 0)).toBe(expected))

describe('hosts', () => {
  const routes = [route('a.example.com'), route('b.example.com', 'redirect'), route('c.example.com', 'off'), route('*')]
  it('without a certificate', () =>
    expect(uncoveredHosts(routes, [certificate('a', 'a.example.com')])).toEqual(['b.example.com']))
  it('that only one certificate covers', () => {
    const all = [certificate('a', 'a.example.com'), certificate('wild', '*.example.com')]
    expect(hostsOnlyBy(all[0] as CertificateView, all, routes)).toEqual([])
    expect(hostsOnlyBy(all[1] as CertificateView, all, routes)).toEqual(['b.example.com'])
  })
})

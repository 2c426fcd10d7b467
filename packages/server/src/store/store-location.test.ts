import { expect, it } from 'vitest'
import { parseStoreLocation, type StoreSettings } from './store-location.ts'

it.each([
  ['sqlite', { kind: 'sqlite', path: undefined }],
  ['sqlite:/srv/store.db', { kind: 'sqlite', path: '/srv/store.db' }],
  ['etcd://a', { kind: 'etcd', addresses: ['a:2379'], prefix: '/berth', tls: false, compaction: true }],
  [
    'etcds://a:1,[::1]:2,10.0.0.1/teams/shop/?compaction=off',
    {
      kind: 'etcd',
      addresses: ['a:1', '[::1]:2', '10.0.0.1:2379'],
      prefix: '/teams/shop',
      tls: true,
      compaction: false,
    },
  ],
])('reads %s', (url, location) => {
  expect(parseStoreLocation({ url })).toEqual(location)
})

const refused: [StoreSettings, RegExp][] = [
  [{ url: '' }, /a store is/],
  [{ url: 'mysql://a' }, /a store is/],
  [{ url: 'etcd://' }, /no HOST:PORT/],
  [{ url: 'etcd://a:0' }, /no HOST:PORT/],
  [{ url: 'etcd://a:70000' }, /no HOST:PORT/],
  [{ url: 'etcd://a,,b' }, /no HOST:PORT/],
  [{ url: 'etcd://a,a:2379' }, /twice/],
  [{ url: 'etcd://a/x y' }, /prefix/],
  [{ url: 'etcd://a?compact=no' }, /not known/],
  [{ url: 'etcd://me:hidden@a' }, /--store-password-file/],
  [{ url: 'sqlite', caFile: '/ca' }, /belong to an etcd store/],
  [{ url: 'etcd://a', certificateFile: '/c' }, /go together/],
  [{ url: 'etcd://a', user: 'me' }, /go together/],
]

it.each(refused)('refuses %o', (settings, why) => {
  expect(() => parseStoreLocation(settings)).toThrow(why)
  expect(() => parseStoreLocation(settings)).not.toThrow(/hidden/)
})

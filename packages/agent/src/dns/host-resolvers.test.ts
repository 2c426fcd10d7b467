import { describe, expect, it } from 'vitest'
import { parseResolvConf } from './host-resolvers.ts'

describe('parseResolvConf', () => {
  it.each<[string, string, string[]]>([
    ['in order', 'nameserver 192.0.2.1\nnameserver 192.0.2.2\n', ['192.0.2.1', '192.0.2.2']],
    ['with tabs, spaces and all else', '# x\nsearch a b\n  nameserver\t192.0.2.1  # y\noptions edns0\n', ['192.0.2.1']],
    ['of both families', 'nameserver fd00::53\nnameserver 127.0.0.53\n', ['fd00::53', '127.0.0.53']],
    ['each once', 'nameserver 192.0.2.1\nnameserver 192.0.2.1\n', ['192.0.2.1']],
    [
      'three at most',
      'nameserver 192.0.2.1\nnameserver 192.0.2.2\nnameserver 192.0.2.3\nnameserver 192.0.2.4\n',
      ['192.0.2.1', '192.0.2.2', '192.0.2.3'],
    ],
    ['never ourselves', 'nameserver 169.254.77.53\nnameserver 192.0.2.1\n', ['192.0.2.1']],
    ['no names, no comments', '#nameserver 192.0.2.1\n;nameserver 192.0.2.2\nnameserver dns.example\nnameserver\n', []],
    ['none of an empty file', '', []],
  ])('takes them %s', (_, text, addresses) => expect(parseResolvConf(text, ['169.254.77.53'])).toEqual(addresses))
})

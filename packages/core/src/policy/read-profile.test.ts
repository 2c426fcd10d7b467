import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { formatPath } from '../spec/spec-issue.ts'
import { formatRule, profileDocument } from './format-profile.ts'
import { arbitraryProfile, arbitraryRule } from './policy.testing.ts'
import { readProfile } from './read-profile.ts'

/** As it stands in Calico's documentation of its time. */
const calico = {
  id: 'db',
  inbound_rules: [
    { action: 'allow', src_tag: 'db' },
    { action: 'allow', src_tag: 'db-users', protocol: 'tcp', dst_ports: [3306] },
  ],
  outbound_rules: [{ action: 'allow' }],
}

const read = (value: unknown, name?: string) => {
  const { profile, issues } = readProfile(value, name)
  return {
    profile,
    issues: issues.map(({ path, message, suggestion = '' }) => `${formatPath(path)}: ${message}; ${suggestion}`),
  }
}

describe('readProfile', () => {
  it('takes Calico’s JSON as it is, and the same in few words', () => {
    const { profile, issues } = read(calico)
    expect(issues).toEqual([])
    expect(profile).toEqual({
      name: 'db',
      tags: ['db'],
      inbound: [
        { action: 'allow', source: { tag: 'db' }, destination: {} },
        {
          ...{ action: 'allow', protocol: 'tcp', source: { tag: 'db-users' } },
          destination: { ports: [{ first: 3306, last: 3306 }] },
        },
      ],
      outbound: [{ action: 'allow', source: {}, destination: {} }],
    })
    const short = { name: 'db', inbound: ['from db', 'tcp:3306 from db-users'], outbound: ['allow'] }
    expect(read(short).profile).toEqual(profile)
  })

  it('lets in who has its name and everything out where it is not told otherwise', () => {
    const { profile } = read({ id: 'web' })
    expect(profile?.tags).toEqual(['web'])
    expect(profile?.inbound.map(formatRule)).toEqual(['from web'])
    expect(profile?.outbound.map(formatRule)).toEqual(['allow'])
    expect(read({ id: 'web', inbound: [], outbound_rules: [] }).profile).toMatchObject({ inbound: [], outbound: [] })
  })

  it('takes every field, and joins ports that overlap or touch', () => {
    const rule = {
      ...{ action: 'deny', protocol: 'udp', src_tag: 'a', src_net: '10.0.0.0/8', src_ports: ['53', 54] },
      ...{ dst_tag: 'b', dst_net: '10.77.1.2', dst_ports: ['2048:4000', 3000, '4001:4002', 9] },
    }
    const { profile } = read({ id: 'x', inbound_rules: [rule, { protocol: 'icmp', icmp_type: 8, icmp_code: 0 }] })
    expect(
      profile?.inbound.map((each) => JSON.stringify(profileDocument({ ...profile, inbound: [each] }).inbound_rules[0])),
    ).toEqual([
      JSON.stringify({ ...rule, src_ports: ['53:54'], dst_ports: [9, '2048:4002'] }),
      JSON.stringify({ action: 'allow', protocol: 'icmp', icmp_type: 8, icmp_code: 0 }),
    ])
  })

  const inbound = (rule: unknown) => ({ name: 'x', inbound: [rule] })
  it.each<[string, unknown, string, string]>([
    ['no map', [], ': a profile is a map', 'name:'],
    ['no name', {}, 'name: the profile has no name', 'name: db'],
    ['an empty name', { name: null }, 'name: the profile has no name', 'name: db'],
    ['a name that reaches into nft', { id: 'x; flush ruleset' }, 'id: "x; flush ruleset" cannot name a profile', ''],
    ['a name that is too long', { id: 'x'.repeat(41) }, 'cannot name a profile', 'letters'],
    ['both spellings', { id: 'x', inbound: [], inbound_rules: [] }, 'inbound_rules: inbound and inbound_rules', ''],
    ['an unknown field', { id: 'x', inbound_rule: [] }, 'inbound_rule: unknown field', 'did you mean "inbound_rules"?'],
    [
      'an unknown field of a rule',
      inbound({ src_tags: 'a' }),
      'inbound[0].src_tags: unknown field',
      'did you mean "src_tag"?',
    ],
    ['rules that are no list', { id: 'x', inbound: 'allow' }, 'inbound: expected a list', '[allow]'],
    ['a rule that is none', inbound(5), 'inbound[0]: a rule is', 'tcp:3306'],
    [
      'a port above all',
      inbound({ protocol: 'tcp', dst_ports: [70_000] }),
      'inbound[0].dst_ports[0]: there is no port 70000',
      '',
    ],
    ['port 0', inbound({ protocol: 'tcp', src_ports: [0] }), 'src_ports[0]: there is no port 0', ''],
    ['a port that is a fraction', inbound({ protocol: 'tcp', src_ports: [1.5] }), '1.5 is no port', '3306'],
    [
      'a range backwards',
      inbound({ protocol: 'tcp', dst_ports: ['4000:2048'] }),
      '4000:2048 ends before',
      'write 2048:4000',
    ],
    ['a range with a dash', inbound({ protocol: 'tcp', dst_ports: ['1-9'] }), 'written another way', 'write 1:9'],
    ['ports that are no list', inbound({ protocol: 'tcp', dst_ports: 80 }), 'dst_ports: expected a list', '[3306]'],
    ['no ports', inbound({ protocol: 'tcp', dst_ports: [] }), 'is empty', 'leave it out'],
    [
      'ports without a protocol',
      inbound({ dst_ports: [80] }),
      'inbound[0]: a rule with ports needs a protocol',
      'tcp or udp',
    ],
    ['ports of ICMP', inbound({ protocol: 'icmp', dst_ports: [80] }), 'icmp has no ports', 'tcp or udp'],
    ['an unknown protocol', inbound({ protocol: 'tpc' }), '"tpc" is none of', 'did you mean "tcp"?'],
    ['an unknown action', inbound({ action: 'drop' }), 'inbound[0].action: "drop"', 'one of allow, deny'],
    ['a type without ICMP', inbound({ protocol: 'tcp', icmp_type: 8 }), 'only ICMP', 'say icmp'],
    ['a code without a type', inbound({ protocol: 'icmp', icmp_code: 8 }), 'a code of ICMP', 'give the type'],
    ['a type that is none', inbound({ protocol: 'icmp', icmp_type: 256 }), 'icmp_type: 256 is out of range', ''],
    ['a net with host bits', inbound({ src_net: '10.1.2.3/8' }), 'src_net: "10.1.2.3/8" has bits set', ''],
    ['a net that is none', inbound({ src_net: 'db' }), 'src_net: "db" is no address block', ''],
    ['a net of version 6 that is none', inbound({ src_net: '2001::db8::/32' }), 'is no network', '2001:db8::/32'],
    [
      'both versions',
      inbound({ src_net: '2001:db8::/32', dst_net: '10.0.0.0/8' }),
      'would never match',
      'each version',
    ],
    ['a tag that is none', inbound({ src_tag: '@{' }), 'src_tag: "@{" is no tag', ''],
    ['a tag that is a number', inbound({ src_tag: 5 }), 'src_tag: expected a text', ''],
    ['tags that are no list', { name: 'x', tags: 'db' }, 'tags: expected a list', '[db]'],
    ['a missing tag', { name: 'x', tags: [null] }, 'tags[0]: a tag is missing', ''],
    ['an empty line', inbound(' '), 'inbound[0]: the rule is empty', 'tcp:3306'],
    ['a slip in a line', inbound('tcp:80 form web'), '"form" is nothing', 'did you mean "from"?'],
    ['a protocol with a slip', inbound('tpc:80'), '"tpc" is no protocol', 'did you mean "tcp"?'],
    ['a tag in the place of a protocol', inbound('web'), '"web" is no protocol', ''],
    ['nobody behind from', inbound('tcp from'), '"from" needs', ''],
    ['two senders', inbound('from a from b'), '"from" is given twice', 'second rule'],
    ['a port of any', inbound('any:80'), 'needs a protocol', 'tcp:80'],
    ['a range with a colon', inbound('tcp:1:9'), 'written another way', 'write 1-9'],
    ['a bad net in a line', inbound('from 10.0.0.0/99'), 'is no address block', ''],
    ['a port in the place of a type', inbound('icmp:http'), '"http" is no type of icmp', 'icmp:TYPE'],
  ])('refuses %s', (_, value, message, suggestion) => {
    const { profile, issues } = read(value)
    expect(profile).toBeUndefined()
    expect(issues).toHaveLength(1)
    expect(issues[0]).toContain(message)
    expect(issues[0]).toContain(suggestion)
  })

  it('tells every mistake at once', () => {
    const { issues } = read({
      id: 'x',
      colour: 1,
      tags: ['?'],
      inbound: [{ protocol: 'tcp', dst_ports: [0, '5:2'] }, 'from'],
    })
    expect(issues.map((each) => each.split(':')[0])).toEqual([
      'colour',
      'tags[0]',
      'inbound[0].dst_ports[0]',
      'inbound[0].dst_ports[1]',
      'inbound[1]',
    ])
  })

  it('takes its name from where it is put, and refuses another', () => {
    expect(read({}, 'db').profile?.name).toBe('db')
    expect(read(calico, 'db').issues).toEqual([])
    expect(read(calico, 'web').issues).toEqual([expect.stringContaining('called db here, and web')])
  })

  it('reads what it writes', () => {
    fc.assert(
      fc.property(
        arbitraryProfile,
        (profile) => void expect(readProfile(profileDocument(profile)).profile).toEqual(profile),
      ),
    )
    fc.assert(
      fc.property(arbitraryRule, (rule) => {
        const text = formatRule(rule)
        const written = text.startsWith('{') ? JSON.parse(text) : text
        expect(readProfile({ name: 'x', inbound: [written] }).profile?.inbound).toEqual([rule])
      }),
    )
  })

  it('never throws', () => {
    const key = fc.constantFrom(
      'id',
      'name',
      'tags',
      'inbound',
      'inbound_rules',
      'action',
      'src_net',
      'dst_ports',
      'protocol',
    )
    const { tree } = fc.letrec((tie) => ({
      leaf: fc.oneof(
        fc.string(),
        fc.integer(),
        fc.constant(null),
        fc.constantFrom('tcp', 'from', '10.0.0.0/8', '::', 'allow'),
      ),
      tree: fc.oneof({ depthSize: 'small' }, tie('leaf'), fc.array(tie('tree')), fc.dictionary(key, tie('tree'))),
    }))
    fc.assert(
      fc.property(tree, (value) => void readProfile(value)),
      { numRuns: 500 },
    )
  })
})

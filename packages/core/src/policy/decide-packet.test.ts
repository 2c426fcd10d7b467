import { describe, expect, it } from 'vitest'
import { decidePacket, type EndDecision, type Packet } from './decide-packet.ts'
import { formatRule } from './format-profile.ts'
import type { PolicyWorld } from './policy-world.ts'
import { type Profile, profilesInForce } from './profile.ts'
import { profileWarnings } from './profile-warnings.ts'
import { readProfile } from './read-profile.ts'

const profile = (value: unknown): Profile => {
  const { profile: found, issues } = readProfile(value)
  if (found === undefined) throw new Error(JSON.stringify(issues))
  return found
}
const profiles = [
  profile({ name: 'web', inbound: ['tcp:8080'], outbound: ['tcp:9000 to app'] }),
  profile({
    name: 'app',
    tags: ['app', 'db-users'],
    inbound: ['tcp:9000 from web'],
    outbound: ['deny tcp:25', 'to db'],
  }),
  profile({
    id: 'db',
    inbound_rules: [{ src_tag: 'db' }, { src_tag: 'db-users', protocol: 'tcp', dst_ports: [3306] }],
    outbound_rules: [{ action: 'allow' }],
  }),
  profile({ name: 'quiet', inbound: ['deny tcp:3306', 'icmp:8 from 10.77.0.0/16'], outbound: [] }),
]
const [web, app, db, db2, free, ghost] = ['10.77.1.2', '10.77.2.2', '10.77.3.2', '10.77.3.3', '10.77.1.9', '10.77.1.8']
const world: PolicyWorld = {
  profiles: new Map(profiles.map((each) => [each.name, each])),
  endpoints: new Map([
    [web, { node: 'a', profiles: ['web'] }],
    [app, { node: 'b', profiles: ['app'] }],
    [db, { node: 'c', profiles: ['db'] }],
    [db2, { node: 'c', profiles: ['quiet', 'db'] }],
    [free, { node: 'a', profiles: [] }],
    [ghost, { node: 'a', profiles: ['gone'] }],
  ]),
  nodes: new Map([
    ['10.77.1.1', { name: 'a', isGateway: true }],
    ['10.77.3.1', { name: 'c', isGateway: false }],
  ]),
}

const say = ({ allowed, reason }: EndDecision): string =>
  `${allowed ? 'passes' : 'drops'} ${reason.kind === 'rule' ? `${reason.profile} ${reason.number} ${formatRule(reason.rule)}` : reason.kind}`
const tcp = (source: string, destination: string, destinationPort: number, isReply = false): Packet => ({
  ...{ source, destination, protocol: 'tcp', sourcePort: 40_000, destinationPort, isReply },
})

describe('decidePacket', () => {
  it.each<[string, Packet, string, string]>([
    ['web to app', tcp(web, app, 9000), 'passes web 1 tcp:9000 to app', 'passes app 1 tcp:9000 from web'],
    ['app to db', tcp(app, db, 3306), 'passes app 2 to db', 'passes db 2 tcp:3306 from db-users'],
    ['web to db', tcp(web, db, 3306), 'drops no-rule', 'drops no-rule'],
    ['db to app', tcp(db, app, 9000), 'passes db 1 allow', 'drops no-rule'],
    ['db back to app', tcp(db, app, 40_000, true), 'passes established', 'passes established'],
    ['db to db, by its second profile', tcp(db2, db, 1), 'passes db 1 allow', 'passes db 1 from db'],
    ['what the first profile denies', tcp(app, db2, 3306), 'passes app 2 to db', 'drops quiet 1 deny tcp:3306'],
    ['what the first profile does not know', tcp(db, db2, 22), 'passes db 1 allow', 'passes db 1 from db'],
    ['a denied port', tcp(app, db, 25), 'drops app 1 deny tcp:25', 'drops no-rule'],
    ['an instance without profile', tcp(free, web, 8080), 'passes no-profile', 'passes web 1 tcp:8080'],
    ['to one without profile', tcp(db, free, 1), 'passes db 1 allow', 'passes no-profile'],
    ['a profile that is gone', tcp(ghost, free, 1), 'drops no-rule', 'passes no-profile'],
    ['to one whose profile is gone', tcp(free, ghost, 1), 'passes no-profile', 'drops no-rule'],
    ['the world outside', tcp('192.0.2.1', web, 8080), 'passes no-instance', 'passes web 1 tcp:8080'],
    ['the world outside to db', tcp('192.0.2.1', db, 3306), 'passes no-instance', 'drops no-rule'],
    ['a gateway', tcp('10.77.1.1', db, 3306), 'passes no-instance', 'passes gateway'],
    ['a gateway by UDP', { ...tcp('10.77.1.1', db, 3306), protocol: 'udp' }, 'passes no-instance', 'passes gateway'],
    ['its own node', tcp('10.77.3.1', db, 3306), 'passes no-instance', 'passes own-node'],
    ['another node', tcp('10.77.3.1', app, 9000), 'passes no-instance', 'drops no-rule'],
    ['the resolver', { ...tcp(web, '169.254.77.53', 53), protocol: 'udp' }, 'passes resolver', 'passes no-instance'],
    ['another port there', tcp(web, '169.254.77.53', 54), 'drops no-rule', 'passes no-instance'],
    [
      'a ping',
      { source: db, destination: db2, protocol: 'icmp', icmpType: 8 },
      'passes db 1 allow',
      'passes quiet 2 icmp:8 from 10.77.0.0/16',
    ],
    ['another protocol', { source: app, destination: db, protocol: 'gre' }, 'passes app 2 to db', 'drops no-rule'],
  ])('%s', (_, packet, outbound, inbound) => {
    const decision = decidePacket(packet, world)
    expect([say(decision.outbound), say(decision.inbound)]).toEqual([outbound, inbound])
    expect(decision.allowed).toBe(outbound.startsWith('passes') && inbound.startsWith('passes'))
  })
})

it('holds the default profile for those that name none, once there is one', () => {
  expect(profilesInForce([], (name) => name === 'default')).toEqual(['default'])
  expect(profilesInForce([], () => false)).toEqual([])
  expect(profilesInForce(['web'], () => true)).toEqual(['web'])
})

it('warns of tags that nobody bears', () => {
  const odd = profile({ name: 'x', inbound: ['from db-user', 'from x'], outbound: ['to nothing-like-it'] })
  expect(profileWarnings(odd, profiles)).toEqual([
    { path: ['inbound', 0], message: expect.stringContaining('"db-user"'), suggestion: 'did you mean "db-users"?' },
    { path: ['outbound', 0], message: expect.stringContaining('nobody'), suggestion: expect.stringContaining('tags:') },
  ])
})

import { describe, expect, it } from 'vitest'
import { checkAs, checkBgpPeer, checkBgpSettings, defaultBgpSettings } from './bgp-settings.ts'

describe('AS numbers', () => {
  it.each([1, 64_512, 65_534, 65_536, 4_200_000_000, 4_294_967_294])('may be %d', (as) =>
    expect(checkAs(as, 'x')).toBe(as),
  )
  it.each([0, -1, 1.5, Number.NaN, 23_456, 65_535, 4_294_967_295])('may not be %d', (as) => {
    expect(() => checkAs(as, 'the site paris')).toThrow(expect.objectContaining({ code: 'routing.invalid-as' }))
  })
})

describe('settings', () => {
  it('are good as they are without any', () => expect(checkBgpSettings(defaultBgpSettings)).toBe(defaultBgpSettings))
  it.each([
    [{ as: 0 }, 'routing.invalid-as'],
    [{ sites: { paris: 23_456 } }, 'routing.invalid-as'],
    [{ meshUpTo: 1 }, 'routing.invalid-setting'],
    [{ meshUpTo: 5_000 }, 'routing.invalid-setting'],
    [{ reflectors: 0 }, 'routing.invalid-setting'],
    [{ reflectors: 1.5 }, 'routing.invalid-setting'],
  ])('%j are refused', (change, code) => {
    expect(() => checkBgpSettings({ ...defaultBgpSettings, ...change })).toThrow(expect.objectContaining({ code }))
  })
})

describe('peers', () => {
  const peer = { name: 'core', address: '10.0.0.1', as: 65_000 }
  it('are good with an address and an AS number', () => expect(checkBgpPeer(peer)).toEqual(peer))
  it.each([
    [{ name: "a'; drop" }, 'routing.invalid-peer'],
    [{ name: '' }, 'routing.invalid-peer'],
    [{ address: 'router.example' }, 'routing.invalid-peer'],
    [{ address: '10.0.0.1; include "/etc/shadow"' }, 'routing.invalid-peer'],
    [{ address: 'fd00::1' }, 'routing.invalid-peer'],
    [{ as: 0 }, 'routing.invalid-as'],
    [{ password: '' }, 'routing.invalid-peer'],
    [{ password: 'a"b' }, 'routing.invalid-peer'],
    [{ password: 'a\nb' }, 'routing.invalid-peer'],
    [{ password: 'ü' }, 'routing.invalid-peer'],
    [{ password: 'x'.repeat(81) }, 'routing.invalid-peer'],
  ])('with %j are refused', (change, code) => {
    expect(() => checkBgpPeer({ ...peer, ...change })).toThrow(expect.objectContaining({ code }))
  })
  it('tell no password in what they are refused with', () => {
    expect(() => checkBgpPeer({ ...peer, password: 'geheim"' })).toThrow(/^(?!.*geheim)/)
  })
})

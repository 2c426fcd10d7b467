import { describe, expect, it } from 'vitest'
import { type KeepalivedInput, renderKeepalivedConfig } from './keepalived-config.ts'

const input: KeepalivedInput = {
  ...{ source: '10.9.0.1', interface: 'eth0', held: [], announced: [], check: '/run/x/check', note: '/run/x/note' },
  backAfterSeconds: 30,
}
const held = { by: 'vrrp' as const, router: 3, priority: 200, peers: ['10.9.0.2', '10.9.0.3'], device: 'eth1' }

describe('the configuration of keepalived', () => {
  it('has an instance for each address that is held, in the order of their numbers', () => {
    const text = renderKeepalivedConfig({
      ...input,
      held: [
        { ...held, address: '192.0.2.10' },
        { ...held, address: '2001:db8::10', router: 2, peers: [], device: 'eth0' },
      ],
    })
    const [second = '', third = ''] = text.split('vrrp_instance ').slice(1)
    expect(second).toContain('address-2 {')
    expect(second).toContain('unicast_peer {\n    127.0.0.1\n  }')
    expect(second).not.toContain('check_unicast_src')
    expect(second).toContain('virtual_ipaddress {\n    169.254.78.2/32 dev lo scope host\n  }')
    expect(second).toContain('virtual_ipaddress_excluded {\n    2001:db8::10/128 dev eth0\n  }')
    expect(third).toContain('unicast_peer {\n    10.9.0.2\n    10.9.0.3\n  }')
    expect(third).toContain('virtual_ipaddress {\n    192.0.2.10/32 dev eth1\n  }')
    expect(third).toContain('track_interface {\n    eth1\n  }')
    for (const part of [second, third]) expect(part).toContain('track_script {\n    gateway\n  }')
    expect(text).not.toContain('berth-anycast')
  })

  it('has one instance for all that are announced', () => {
    const text = renderKeepalivedConfig({ ...input, announced: ['192.0.2.30', '192.0.2.20', '2001:db8::30'] })
    expect(text.split('vrrp_instance ').length).toBe(2)
    expect(text).toContain(
      '    192.0.2.20/32 dev berth-anycast\n    192.0.2.30/32 dev berth-anycast\n    2001:db8::30/128 dev berth-anycast\n',
    )
  })

  it('takes nothing into it that is no address', () => {
    const address = '192.0.2.10 }\nscript "reboot"'
    expect(() => renderKeepalivedConfig({ ...input, held: [{ ...held, address }] })).toThrow('IPv4')
    expect(() => renderKeepalivedConfig({ ...input, announced: [address] })).toThrow('IPv4')
    expect(() =>
      renderKeepalivedConfig({ ...input, source: address, held: [{ ...held, address: '192.0.2.1' }] }),
    ).toThrow('IPv4')
    expect(() =>
      renderKeepalivedConfig({ ...input, held: [{ ...held, address: '192.0.2.1', peers: [address] }] }),
    ).toThrow('IPv4')
  })
})

import { readFileSync } from 'node:fs'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { nodeConfigJsonSchema } from './node-config-json-schema.ts'
import { parseNodeConfig } from './parse-node-config.ts'

const whole = `
enforce: true
rollout: {batch: 10%, pause: 30s, within: 2m, onFailure: undo}
rules:
  - docker:
      options: {log-driver: local, log-opts: {max-size: 10m}, max-concurrent-downloads: 6}
      mirrors: [https://mirror.example]
      insecure: [registry.example:5000]
      registries:
        registry.example:5000: {ca: {content: "PEM"}}
    sysctls: {net.core.somaxconn: 4096, net.ipv4.tcp_rmem: "4096  131072 6291456", vm.overcommit_memory: true}
    packages: [nfs-common, chrony]
  - groups: bound
    where: [site = bj, "!spot"]
    files:
      /etc/chrony/chrony.conf: {from: files/chrony.conf, mode: "640", owner: root:_chrony, run: systemctl reload chrony}
    checks:
      - chronyc waitsync 1
      - {command: [sh, -c, "test -e /x"], timeout: 3s}
`

describe('parseNodeConfig', () => {
  it('gives the canonical form, with the content of files beside it', () => {
    const { spec, problems, needs } = parseNodeConfig(whole, { 'files/chrony.conf': 'pool x\n' })
    expect(problems).toEqual([])
    expect(needs).toEqual(['files/chrony.conf'])
    expect(spec).toMatchObject({
      enforce: true,
      rollout: { batch: { shareMilli: 100 }, pauseMs: 30_000, withinMs: 120_000, onFailure: 'undo' },
    })
    expect(spec?.rules[0]?.config).toEqual({
      docker: {
        'log-driver': 'local',
        'log-opts': { 'max-size': '10m' },
        'max-concurrent-downloads': 6,
        'registry-mirrors': ['https://mirror.example/'],
        'insecure-registries': ['registry.example:5000'],
      },
      sysctls: {
        'net.core.somaxconn': '4096',
        'net.ipv4.tcp_rmem': '4096 131072 6291456',
        'vm.overcommit_memory': '1',
      },
      packages: ['chrony', 'nfs-common'],
      files: {
        '/etc/docker/certs.d/registry.example:5000/ca.crt': { content: 'PEM', mode: '0644', owner: 'root:root' },
      },
      checks: [],
    })
    expect(spec?.rules[1]).toEqual({
      groups: ['bound'],
      where: ['site = bj', '!spot'],
      config: {
        ...{ docker: {}, sysctls: {}, packages: [] },
        files: {
          '/etc/chrony/chrony.conf': {
            ...{ content: 'pool x\n', mode: '0640', owner: 'root:_chrony' },
            run: ['systemctl', 'reload', 'chrony'],
          },
        },
        checks: [
          { command: ['chronyc', 'waitsync', '1'], timeoutMs: 10_000 },
          { command: ['sh', '-c', 'test -e /x'], timeoutMs: 3000 },
        ],
      },
    })
  })

  it('says what it needs before anything beside it is read', () => {
    expect(parseNodeConfig(whole, undefined)).toMatchObject({ problems: [], needs: ['files/chrony.conf'] })
    expect(parseNodeConfig(whole, {}).problems).toMatchObject([
      {
        line: 16,
        path: 'rules[1].files["/etc/chrony/chrony.conf"].from',
        message: expect.stringContaining('no file files/chrony.conf'),
      },
    ])
  })

  const inRule = (text: string): string => `rules:\n  - ${text}\n`
  it.each([
    ['an unknown key', inRule('sysctl: {}'), 'unknown key "sysctl"', 'did you mean "sysctls"?'],
    [
      'a key of daemon.json with a place of its own',
      inRule('docker: {options: {registry-mirrors: [x]}}'),
      'not written here',
      '`docker.mirrors`',
    ],
    [
      'what would lose containers',
      inRule('docker: {options: {data-root: /x}}'),
      'cannot be changed by Berth',
      undefined,
    ],
    ['no live-restore', inRule('docker: {options: {live-restore: false}}'), 'ends every container', 'write true'],
    ['a mirror with a path', inRule('docker: {mirrors: [mirror.example]}'), 'is no mirror', undefined],
    [
      'a setting of the kernel that leads elsewhere',
      inRule('sysctls: {"../x": 1}'),
      'is no kernel setting',
      'net.core.somaxconn',
    ],
    ['no forwarding', inRule('sysctls: {net.ipv4.ip_forward: 0}'), 'no instance reaches another node', 'write 1'],
    ['a version of a package', inRule('packages: [chrony=4.3]'), 'is no name of a package', 'preferences.d'],
    ['an option in the place of a package', inRule('packages: ["--purge"]'), 'is no name of a package', undefined],
    ['a relative path', inRule('files: {etc/motd: {content: x}}'), 'is no absolute path', undefined],
    ['a path that leads up', inRule('files: {/etc/../motd: {content: x}}'), 'is no absolute path', undefined],
    [
      'daemon.json as a file',
      inRule('files: {/etc/docker/daemon.json: {content: x}}'),
      'cannot be a file',
      '`docker.options`',
    ],
    ["Berth's own folder", inRule('files: {/var/lib/berth/x: {content: x}}'), 'cannot be a file', 'another program'],
    ['neither content nor from', inRule('files: {/etc/motd: {}}'), 'needs its content', 'from: PATH'],
    ['a path out of the repository', inRule('files: {/etc/motd: {from: ../x}}'), 'no path beside', undefined],
    [
      'a private key',
      inRule('files: {/etc/k: {content: "-----BEGIN RSA PRIVATE KEY-----"}}'),
      'holds a private key',
      'secret',
    ],
    ['a mode that is none', inRule('files: {/etc/k: {content: x, mode: "0999"}}'), 'is no mode', '"0644"'],
    ['a command for a shell', inRule('checks: ["a | b"]'), 'only a shell understands', 'sh, -c'],
    ['a requirement that is none', inRule('where: ["site ="]'), 'expected a value', undefined],
    ['a batch of none', 'rollout: {batch: 0}\nrules: []', 'at least one node', 'write 1'],
    ['a gate without time', 'rollout: {within: 0s}\nrules: []', 'from 1s to 1h', undefined],
    ['no rules', 'enforce: true', 'needs rules', '[]'],
    ['nothing', '', 'the file is empty', 'rules:'],
  ])('refuses %s', (_, text, message, suggestion) => {
    const { spec, problems } = parseNodeConfig(text, {})
    expect(spec).toBeUndefined()
    expect(problems).toHaveLength(1)
    expect(problems[0]?.message).toContain(message)
    if (suggestion !== undefined) expect(problems[0]?.suggestion).toContain(suggestion)
  })

  it('tells every mistake at once, each with its place', () => {
    const text =
      'enforce: maybe\nrules:\n  - sysctls: {x: 1}\n    packages: [A]\n  - files: {/etc/a: {content: x, mode: 420}}\n'
    expect(parseNodeConfig(text, {}).problems.map(({ line, path }) => [line, path])).toEqual([
      [1, 'enforce'],
      [3, 'rules[0].sysctls.x'],
      [4, 'rules[0].packages[0]'],
      [5, 'rules[1].files["/etc/a"].mode'],
    ])
  })

  it('never throws', () => {
    const parts = fc.constantFrom(
      'rules',
      ':',
      ' ',
      '\n',
      '- ',
      'docker',
      'files',
      '/etc/a',
      '{',
      '}',
      '[',
      ']',
      'null',
      '1',
      '*a',
      '&a',
      'checks',
    )
    fc.assert(
      fc.property(fc.array(parts, { maxLength: 30 }), (words) => void parseNodeConfig(words.join(''), {})),
      { numRuns: 300 },
    )
  })
})

it('has its JSON Schema in docs/node-config.schema.json (else run `node scripts/schema.ts`)', () => {
  const published = readFileSync(new URL('../../../../docs/node-config.schema.json', import.meta.url), 'utf8')
  expect(JSON.stringify(JSON.parse(published))).toBe(JSON.stringify(nodeConfigJsonSchema()))
})

it('reads the example of the guide', () => {
  const guide = readFileSync(new URL('../../../../docs/guides/node-configuration.md', import.meta.url), 'utf8')
  const [, text = ''] = /```yaml\n([\s\S]*?)```/.exec(guide) ?? []
  const { problems, needs } = parseNodeConfig(text, undefined)
  expect({ problems, needs }).toEqual({ problems: [], needs: ['files/chrony.conf', 'files/registry-ca.crt'] })
})

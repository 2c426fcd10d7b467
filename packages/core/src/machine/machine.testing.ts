import type { MachineWish } from './judge-machine.ts'
import type { MachineFacts } from './machine-facts.ts'

/** What the survey says of a machine that lacks nothing. */
export const goodSurvey: Readonly<Record<string, string>> = {
  system: 'Linux',
  kernel: '6.1.0-28-amd64',
  architecture: 'x86_64',
  hostname: 'shed-3',
  uid: '0',
  now: '1795959411',
  os_ID: 'debian',
  os_PRETTY_NAME: 'Debian GNU/Linux 12 (bookworm)',
  libc: 'glibc 2.36',
  systemd: 'yes',
  memory_kib: '16384000',
  state_free_kib: '50000000',
  program_free_kib: '50000000',
  cgroup: 'v2',
  cgroup_controllers: 'cpuset cpu io memory pids',
  kernel_overlay: 'yes',
  kernel_nf_tables: 'yes',
  kernel_bridge: 'yes',
  kernel_veth: 'yes',
  has_ip: 'yes',
  has_nft: 'yes',
  has_iptables: 'yes',
  has_git: 'yes',
  has_nginx: 'yes',
  has_nginx_lua: 'yes',
  has_lua_cjson: 'yes',
  has_docker: 'yes',
  has_dockerd: 'yes',
  packages: 'apt-get',
  docker_version: '28.1.0 1.49',
  docker_live_restore: 'true',
  docker_socket: 'yes',
  listening: '00000000:0016 0100007F:0CEA',
  reaches_api: 'yes',
  reaches_agent_port: 'yes',
  end: 'yes',
}

export const surveyText = (changes: Readonly<Record<string, string | undefined>> = {}): string =>
  Object.entries({ ...goodSurvey, ...changes })
    .flatMap(([key, value]) => (value === undefined ? [] : [`${key}=${value}\n`]))
    .join('')

export const wish: MachineWish = {
  node: 'shed-3',
  clusters: ['a'.repeat(64)],
  serverNowMs: 1_795_959_411_000,
  server: { host: '192.0.2.1', apiPort: 7600, agentPort: 7601 },
  stateDir: '/var/lib/berth',
  dockerSocket: '/var/run/docker.sock',
  gateway: { httpPort: 80, httpsPort: 443 },
  program: { architecture: 'x64', bytes: 150_000_000 },
  root: 'yes',
}

export type { MachineFacts }

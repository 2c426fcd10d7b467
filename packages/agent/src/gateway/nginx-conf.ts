import { retryStatuses } from '@berth/core'
import type { GatewayPaths, NginxGatewayOptions } from './nginx-options.ts'

/** What the machine adds to the options. */
export interface NginxFacts {
  /** `[1, 22, 1]`. */
  readonly version: readonly [number, number, number]
  /** Modules to load, absolute, in this order; empty where nginx has them built in. */
  readonly modules: readonly string[]
  /** `www-data www-data`; absent when not started by root. */
  readonly user?: string
  /** Folder of the Lua files. */
  readonly luaDir: string
  readonly tempDir: string
  readonly ipv6: boolean
  readonly maxOpenFiles: number
}

/** Everything that nginx.conf says; `configuration` is its digest, which the running nginx reports. */
export interface NginxConfInput {
  readonly options: NginxGatewayOptions
  readonly paths: GatewayPaths
  readonly facts: NginxFacts
}

/** How long the gateway waits for a member that does not accept, and after which time it stops passing a request on. */
const connectTimeoutSeconds = 3
const passOnSeconds = 10
/** Below the 5 s of Node's HTTP server, so that nginx closes an idle connection before the application does. */
const idleSeconds = 4
const tries = 3
/** Nobody's but the way to the location of gRPC. */
const grpcStatus = 418
/** Of routes that ask for more. */
const mostTries = 11
const defaultConnections = 16_384
/** Logs, libraries, temporary files. */
const spareFiles = 256

/**
 * The whole nginx.conf. It depends on options and machine only: routes, members and certificates are data that Lua reads, so that none
 * of their texts is ever parsed by nginx and no change of theirs needs a reload.
 */
export function renderNginxConf(input: NginxConfInput, configuration: string): string {
  const { options, paths, facts } = input
  const http = [
    ...httpBasics(input),
    ...headers(options),
    ...lua(input, configuration),
    ...['plain', 'secure', 'chosen', ...(options.httpsPort === undefined ? [] : ['grpc'])].flatMap((way) =>
      upstream(way, options, tries),
    ),
    ...upstream('again', options, 1),
    ...(options.accessLog === true ? accessLog(paths) : ['access_log off;']),
    ...block('server', [...listen(input, options.httpPort, ''), ...locations(input, 'plain')]),
    ...(options.httpsPort === undefined ? [] : block('server', tlsServer(input, options.httpsPort))),
    ...block('server', adminServer(paths)),
  ]
  return `${[
    '# Written by the Berth agent from its options, which are the place to change anything. Routes are not in here.',
    ...facts.modules.map((path) => `load_module ${path};`),
    ...(facts.user === undefined ? [] : [`user ${facts.user};`]),
    `worker_processes ${options.workers ?? 'auto'};`,
    ...affinity(options),
    `worker_rlimit_nofile ${facts.maxOpenFiles};`,
    `worker_shutdown_timeout ${options.oldWorkersSeconds ?? 3_600}s;`,
    `pid ${paths.pidFile};`,
    `error_log ${paths.errorLog} warn;`,
    ...block('events', [`worker_connections ${connections(input)};`, 'multi_accept on;']),
    ...block('http', http),
  ].join('\n')}\n`
}

/** Never more than the files that a worker may open. */
function connections({ options, facts }: NginxConfInput): number {
  return Math.min(options.connections ?? defaultConnections, facts.maxOpenFiles - spareFiles)
}

/** How many files a worker should be able to open. */
export function wantedOpenFiles(options: NginxGatewayOptions): number {
  return (options.connections ?? defaultConnections) * 2 + spareFiles
}

function block(name: string, lines: readonly string[]): string[] {
  return [`${name} {`, ...lines.map((line) => `  ${line}`), '}']
}

function affinity({ workerCpus }: NginxGatewayOptions): string[] {
  if (workerCpus === undefined) return []
  return [`worker_cpu_affinity ${workerCpus.map((cpu) => (1 << cpu).toString(2)).join(' ')};`]
}

/** What a good reverse proxy says in any case; the benches give plain nginx the same. */
export function proxyBasics(): string[] {
  return [
    'keepalive_timeout 75s;',
    'keepalive_requests 1000000;',
    'client_max_body_size 0;',
    'large_client_header_buffers 4 16k;',
    'sendfile on;',
    'tcp_nodelay on;',
    'server_tokens off;',
    'map $http_upgrade $berth_connection { default upgrade; "" ""; }',
    'proxy_http_version 1.1;',
    `proxy_connect_timeout ${connectTimeoutSeconds}s;`,
    'proxy_read_timeout 60s;',
    'proxy_send_timeout 60s;',
    'proxy_next_upstream error timeout;',
    `proxy_next_upstream_tries ${mostTries};`,
    `proxy_next_upstream_timeout ${passOnSeconds}s;`,
  ]
}

/** Headers that members get; `clients` is the variable with the chain of clients. */
export function proxyHeaders(clients: string): string[] {
  return [
    'proxy_set_header Host $http_host;',
    'proxy_set_header Upgrade $http_upgrade;',
    'proxy_set_header Connection $berth_connection;',
    'proxy_set_header X-Real-IP $remote_addr;',
    `proxy_set_header X-Forwarded-For ${clients};`,
    'proxy_set_header X-Forwarded-Proto $scheme;',
    'proxy_set_header X-Forwarded-Host $http_host;',
  ]
}

function httpBasics({ facts }: NginxConfInput): string[] {
  return [
    ...proxyBasics(),
    // What a request needs with Lua's share of it, in one piece of memory instead of several.
    'request_pool_size 12k;',
    // Answers are passed on as they come, so that event streams work and nothing goes to the disk. Room for large headers, but no power of
    // two: buffers so far apart would contend for the same lines of the CPU's cache.
    'proxy_buffering off;',
    'proxy_buffer_size 20k;',
    'proxy_buffers 8 20k;',
    'proxy_max_temp_file_size 0;',
    `client_body_temp_path ${facts.tempDir}/body;`,
    `proxy_temp_path ${facts.tempDir}/proxy;`,
    `fastcgi_temp_path ${facts.tempDir}/unused-fastcgi;`,
    `uwsgi_temp_path ${facts.tempDir}/unused-uwsgi;`,
    `scgi_temp_path ${facts.tempDir}/unused-scgi;`,
  ]
}

const forwardedFor = ({ trustedProxies = [] }: NginxGatewayOptions): string =>
  trustedProxies.length === 0 ? '$remote_addr' : '$berth_forwarded_for'

const grpcHeaders = (options: NginxGatewayOptions): string[] => [
  'grpc_set_header Host $http_host;',
  'grpc_set_header X-Real-IP $remote_addr;',
  `grpc_set_header X-Forwarded-For ${forwardedFor(options)};`,
  'grpc_set_header X-Forwarded-Proto $scheme;',
  'grpc_set_header X-Forwarded-Host $http_host;',
]

/** A client's own X-Forwarded-For is believed only when it comes from a proxy that the operator named. */
function headers(options: NginxGatewayOptions): string[] {
  const { trustedProxies = [] } = options
  if (trustedProxies.length === 0) return proxyHeaders(forwardedFor(options))
  return [
    ...trustedProxies.map((proxy) => `set_real_ip_from ${proxy};`),
    'real_ip_header X-Forwarded-For;',
    'real_ip_recursive on;',
    ...block('geo $realip_remote_addr $berth_trusted', ['default 0;', ...trustedProxies.map((proxy) => `${proxy} 1;`)]),
    'map $berth_trusted $berth_forwarded_for { 1 $proxy_add_x_forwarded_for; default $remote_addr; }',
    ...proxyHeaders(forwardedFor(options)),
  ]
}

function lua({ options, paths, facts }: NginxConfInput, configuration: string): string[] {
  return [
    `lua_package_path "${facts.luaDir}/?.lua;;";`,
    'lua_shared_dict berth 64m;',
    'lua_shared_dict berth_limits 16m;',
    // The default gives memory back to the kernel every 1,000 requests, only to fault it in again.
    'lua_malloc_trim 0;',
    ...block('init_by_lua_block', [`require("berth")({ ${settings(options, paths, facts, configuration)} })`]),
    'init_worker_by_lua_block { berth_start_worker() }',
    'log_by_lua_block { berth_done() }',
  ]
}

function settings(
  options: NginxGatewayOptions,
  paths: GatewayPaths,
  { version }: NginxFacts,
  configuration: string,
): string {
  // Lua may name members where nginx keeps them in versions whose memory is known; see berth_handover.lua.
  const direct = options.directPeers !== false && version[0] === 1 && version[1] === 22
  return [
    `configuration = "${configuration}"`,
    `dump = "${paths.dump}"`,
    `https_port = ${options.httpsPort ?? 443}`,
    `access_log = ${options.accessLog === true}`,
    `direct = ${direct}`,
  ].join(', ')
}

/** The placeholder servers only give the number of tries; Lua always names the real peer. */
function upstream(way: string, { keepalive = 1024 }: NginxGatewayOptions, given: number): string[] {
  return block(`upstream berth_${way}`, [
    ...Array.from({ length: given }, (_, index) => `server 0.0.0.${index + 1};`),
    `balancer_by_lua_block { berth_${way}() }`,
    ...keepaliveLines(keepalive),
  ])
}

export function keepaliveLines(connections: number): string[] {
  return [`keepalive ${connections};`, `keepalive_timeout ${idleSeconds}s;`, 'keepalive_requests 1000000;']
}

function listen({ options, facts }: NginxConfInput, port: number, flags: string): string[] {
  const address = options.listenAddress
  if (address !== undefined) {
    return [`listen ${address.includes(':') ? `[${address}]` : address}:${port} default_server${flags} backlog=4096;`]
  }
  const lines = [`listen 0.0.0.0:${port} default_server${flags} backlog=4096;`]
  return facts.ipv6 ? [...lines, `listen [::]:${port} default_server${flags} backlog=4096 ipv6only=on;`] : lines
}

/**
 * The usual request takes `/` and nothing else. What its balancer turns aside comes back as a 502 of nginx's own, which no member can
 * cause since their answers are not intercepted, and is answered or sent on by the second location.
 */
function locations({ options, paths }: NginxConfInput, way: string): string[] {
  const errorPages = ['error_page 502 = @berth_unusual;', 'error_page 504 @berth_unanswered;']
  return [
    ...(options.accessLog === true ? ['set $berth_route "";', 'set $berth_instance "";'] : []),
    // A line for every try that failed would drown the disk; Lua writes what counts, as critical.
    ...block('location /', [`error_log ${paths.errorLog} crit;`, `proxy_pass http://berth_${way};`, ...errorPages]),
    ...block('location @berth_unusual', [
      `error_log ${paths.errorLog} crit;`,
      'set $berth_path "";',
      'rewrite_by_lua_block { berth_unusual() }',
      'recursive_error_pages on;',
      'error_page 502 504 @berth_unanswered;',
      'proxy_pass http://berth_chosen$berth_path;',
    ]),
    ...block('location @berth_unanswered', ['content_by_lua_block { berth_unanswered() }']),
    ...subsets(retryStatuses).flatMap((statuses) => againLocation(paths, statuses)),
  ]
}

/**
 * Of routes that send requests again for answers of members. Which answers is configuration to nginx: there is a location for each choice,
 * so that a route is still data. What may change something is never sent again (`non_idempotent` is off).
 */
const againLocation = (paths: GatewayPaths, statuses: readonly number[]): string[] =>
  block(`location @berth_again_${statuses.join('_')}`, [
    `error_log ${paths.errorLog} crit;`,
    'recursive_error_pages on;',
    'error_page 502 504 @berth_unanswered;',
    `proxy_next_upstream error timeout ${statuses.map((status) => `http_${status}`).join(' ')};`,
    'proxy_pass http://berth_again$berth_path;',
  ])

/** All but the empty one, each in the order of `all`. */
function subsets<T>(all: readonly T[]): T[][] {
  return Array.from({ length: 2 ** all.length - 1 }, (_, index) => all.filter((_each, bit) => (index + 1) & (1 << bit)))
}

function tlsServer(input: NginxConfInput, port: number): string[] {
  const { paths, facts } = input
  const http2 = facts.version[0] > 1 || facts.version[1] > 25 || (facts.version[1] === 25 && facts.version[2] >= 1)
  return [
    ...listen(input, port, http2 ? ' ssl' : ' ssl http2'),
    ...(http2 ? ['http2 on;'] : []),
    `ssl_certificate ${paths.fallbackCertificate};`,
    `ssl_certificate_key ${paths.fallbackKey};`,
    'ssl_certificate_by_lua_block { berth_certificate() }',
    'ssl_protocols TLSv1.2 TLSv1.3;',
    'ssl_session_cache shared:berth_tls:10m;',
    'ssl_session_timeout 1d;',
    ...locations(input, 'secure'),
    ...grpcLocations(input),
  ]
}

/**
 * gRPC is told by its type before anything of a body is read, since streams go both ways at once: `return` is the one way to a location
 * that leaves path and body as they are. HTTP without TLS has none of it, as nginx speaks HTTP/2 or HTTP/1.1 there, not both.
 */
function grpcLocations({ options, paths }: NginxConfInput): string[] {
  const done = 'log_by_lua_block { berth_grpc_done() }'
  return [
    'recursive_error_pages on;',
    `error_page ${grpcStatus} = @berth_grpc;`,
    `if ($content_type ~ "^application/grpc(?:$|[+;])") { return ${grpcStatus}; }`,
    ...block('location @berth_grpc', [
      `error_log ${paths.errorLog} crit;`,
      'error_page 502 504 @berth_grpc_failed;',
      // A client may have nothing to say for as long as a route allows.
      'client_body_timeout 24h;',
      ...grpcHeaders(options),
      `grpc_connect_timeout ${connectTimeoutSeconds}s;`,
      'grpc_read_timeout 60s;',
      'grpc_send_timeout 60s;',
      'grpc_buffer_size 20k;',
      'grpc_next_upstream error timeout;',
      `grpc_next_upstream_tries ${mostTries};`,
      `grpc_next_upstream_timeout ${passOnSeconds}s;`,
      'grpc_pass grpc://berth_grpc;',
      done,
    ]),
    ...block('location @berth_grpc_failed', ['content_by_lua_block { berth_grpc_failed() }', done]),
  ]
}

function adminServer(paths: GatewayPaths): string[] {
  return [
    `listen unix:${paths.adminSocket};`,
    'access_log off;',
    'client_body_buffer_size 16m;',
    ...block('location /', ['content_by_lua_block { berth_admin() }']),
  ]
}

/** `escape=json` quotes whatever a client sent. */
function accessLog(paths: GatewayPaths): string[] {
  const fields = {
    time: '$time_iso8601',
    client: '$remote_addr',
    method: '$request_method',
    host: '$host',
    uri: '$request_uri',
    protocol: '$server_protocol',
    userAgent: '$http_user_agent',
    upstream: '$upstream_addr',
    route: '$berth_route',
    instance: '$berth_instance',
  }
  const numbers = { status: '$status', bytes: '$body_bytes_sent', seconds: '$request_time' }
  const text = [
    ...Object.entries(fields).map(([name, value]) => `"${name}":"${value}"`),
    ...Object.entries(numbers).map(([name, value]) => `"${name}":${value}`),
  ].join(',')
  return [
    `log_format berth escape=json '{${text}}';`,
    // What keepalived asks every second (HTTP/1.1 from this machine, without a host) is no request of anybody's.
    'map "$remote_addr $status $http_host $request" $berth_logged { "127.0.0.1 400  GET / HTTP/1.1" 0; default 1; }',
    `access_log ${paths.accessLog} berth buffer=64k flush=1s if=$berth_logged;`,
  ]
}

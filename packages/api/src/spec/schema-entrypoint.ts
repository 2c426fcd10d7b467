import { nameSource, secretNameSource, variableNameSource } from '@berth/core'
import { z } from 'zod'
import {
  bandwidth,
  burst,
  command,
  count,
  cpu,
  duration,
  flag,
  furtherResources,
  key,
  mapOf,
  object,
  resources,
  scalar,
  size,
  text,
  textOrTexts,
  texts,
  variables,
} from './schema-object.ts'
import { schedulingKeys, schedulingOverrides } from './schema-placement.ts'

const portNumber = count(1, 65_535)
const name = text.meta({ pattern: nameSource })
const secretName = text.meta({ pattern: secretNameSource })

const portObject = object(
  {
    name: key(name, 'Name by which routes and probes mean the port. In a map the key is the name.'),
    port: key(portNumber, 'Port inside the container.'),
    protocol: key(z.enum(['tcp', 'udp']), 'tcp or udp. Default: tcp.'),
    hostPort: key(portNumber, 'Also published on the node at this port. Then one instance a node is all that fits.'),
  },
  ['port'],
)
const port = z.union([portNumber, text.meta({ pattern: '^[0-9]+(/(tcp|udp))?$' }), portObject])

const secret = z.union([
  secretName,
  object(
    {
      name: key(secretName, 'Name of the secret (`berth secret set`).'),
      file: key(secretName, 'File below /run/secrets that holds it. Default: the name.'),
      env: key(
        text.meta({ pattern: variableNameSource }),
        'Also given as this variable. It then stands in clear in Docker’s files on the node; prefer the file.',
      ),
    },
    ['name'],
  ),
])

const configFile = z.union([
  text,
  object(
    {
      content: key(text, 'What the file holds.'),
      mode: key(z.union([text, z.int()]), 'Permissions, three octal digits. Default: 0444.', ['0644', '0755']),
    },
    ['content'],
  ),
])

const bind = z.union([
  text,
  object(
    {
      to: key(text, 'An entrypoint of this app (`db`) or of another one (`shop/db`).', ['db', 'shop/db']),
      as: key(
        text.meta({ pattern: variableNameSource }),
        'Prefix of the variables: DB gives DB_HOST and DB_PORT. Default: the entrypoint’s name in capitals.',
      ),
    },
    ['to'],
  ),
])

const volume = z.union([
  text.meta({ examples: ['data:/var/lib/data', '/srv/files:/files:ro'] }),
  object(
    {
      path: key(text, 'Where it appears in the container.'),
      name: key(name, 'A named volume, kept on the node.'),
      host: key(text, 'A directory of the node.'),
      tmpfs: key(size, 'An empty file system in memory, of at most this size.'),
      readOnly: key(flag, 'Default: false.'),
    },
    ['path'],
  ),
])

const limit = count(-1, Number.MAX_SAFE_INTEGER)
const ulimit = z.union([
  limit,
  object(
    { soft: key(limit, 'What counts at first; -1 for no limit.'), hard: key(limit, 'How far it may be raised.') },
    ['soft', 'hard'],
  ),
])

const portReference = z.union([text, portNumber])

const probe = object({
  http: key(
    z.union([
      text,
      object(
        {
          path: key(text, 'Path of the request.'),
          port: key(portReference, 'Name or number of a declared port. Default: the first.'),
          host: key(text, 'Host header. Default: the instance’s address.'),
        },
        ['path'],
      ),
    ]),
    'Asks by HTTP: an answer of 200 to 399 is good. In short the path alone.',
    ['/healthz'],
  ),
  tcp: key(portReference, 'Connects to this declared port, by name or number.'),
  exec: key(command, 'Runs this in the container: exit code 0 is good.'),
  delay: key(duration, 'Wait before the first check. Default: 0s.'),
  interval: key(duration, 'From the start of one check to the next. Default: 1s.'),
  timeout: key(duration, 'A check that takes longer has failed. Default: 1s.'),
  successes: key(count(1, 100), 'Good checks in a row that count as healthy. Default: 1.'),
  failures: key(count(1, 1000), 'Bad checks in a row that count as unhealthy. Default: 3.'),
})

const hook = z.union([
  text,
  texts,
  object(
    {
      command: key(command, 'What runs inside the container.'),
      timeout: key(duration, 'It is given up after this. Default: 30s.'),
    },
    ['command'],
  ),
])

export const entrypointSchema = object({
  type: key(z.enum(['service', 'job']), 'A service keeps running, a job runs to its end. Default: service.'),
  command: key(
    command,
    'What runs. A text is split into words like in a shell, but no shell runs. Default: the image’s own.',
  ),
  replicas: key(
    count(0, 10_000),
    'How many instances run. `berth scale` changes it until this number changes. Default: 1.',
  ),
  ...resources,
  ports: key(
    z.union([z.array(port), mapOf(port, nameSource)]),
    'Ports that the program listens on, as a list or by name. The first is the default one, given as PORT.',
    [[8080], { http: 8080, metrics: 9090 }],
  ),
  env: key(variables, 'Environment variables.', [{ LOG_LEVEL: 'info' }]),
  secrets: key(z.array(secret), 'Secrets, given as files below /run/secrets.', [['db-password']]),
  config: key(mapOf(configFile, '^/'), 'Files written into the container, by their path.', [
    { '/etc/app.conf': 'verbose = true\n' },
  ]),
  bind: key(z.array(bind), 'Entrypoints whose address is given: db as DB_HOST and DB_PORT.', [['db']]),
  volumes: key(z.array(volume), 'Directories that outlive the container, or are kept in memory.'),
  sysctls: key(mapOf(z.union([text, z.int()])), 'Kernel settings of the container’s own namespaces.', [
    { 'net.core.somaxconn': 4096 },
  ]),
  ulimits: key(mapOf(ulimit), 'Limits of processes, in short one number for soft and hard.', [{ nofile: 65_536 }]),
  user: key(z.union([text, z.int()]), 'User that the command runs as, by name or number. Default: the image’s.', [
    'node',
  ]),
  workingDirectory: key(text, 'Default: the image’s.'),
  capabilities: key(texts, 'Linux capabilities to keep; all others are dropped.', [['NET_BIND_SERVICE']]),
  profiles: key(
    textOrTexts,
    'Security profiles (`berth profile`), in the order in which their rules are asked. Default: the app’s.',
    [['db']],
  ),
  searchDomains: key(
    textOrTexts,
    'Where names without a dot are looked for behind the app’s own (`db`). `none`: nowhere. Default: the app’s, or the cluster’s (`berth net set`).',
    [['corp.example'], 'none'],
  ),
  network: key(
    text,
    '`cluster`: an address of its own. `host`: the node’s network, with its address and its ports. `bridge`: Docker’s bridge (`bridge:NAME`: another one), reached by `hostPort`. `lan:NAME`: a network of the machines’ own (`berth net create`), with an address there. Default: cluster.',
    ['host', 'bridge', 'bridge:storage', 'lan:office'],
  ),
  address: key(
    text,
    '`keep`: instances have the same addresses after every replacement. Each ends before its successor begins.',
    ['keep'],
  ),
  networks: key(
    textOrTexts,
    'Docker networks of its node that an instance is in as well: it runs where they are. Names come behind `berth` in order.',
    [['storage']],
  ),
  init: key(flag, 'Runs a small init as process 1, which reaps orphans and passes signals on. Default: false.'),
  socket: key(
    flag,
    'A Unix socket /run/berth/berth.sock, at which the program tells of itself and hears of what it binds. Default: false.',
  ),
  health: key(
    object({
      readiness: key(
        z.union([z.enum(['none', 'report']), probe]),
        'Only a ready instance gets traffic. Default: the first tcp port accepts connections; `none` for no check, `report`: the program says so at its socket.',
      ),
      liveness: key(probe, 'An instance that fails it is restarted. Default: none.'),
    }),
    'How instances of a service are judged.',
  ),
  hooks: key(
    object({
      afterStart: key(hook, 'Runs after the start; the instance is not ready before it has succeeded.'),
      beforeStop: key(hook, 'Runs before the stop signal is sent.'),
    }),
    'Commands at turns of an instance’s life.',
  ),
  restart: key(
    z.enum(['always', 'on-failure', 'never']),
    'What happens when the program ends. Default: always for services, never for jobs.',
  ),
  stop: key(
    object({
      signal: key(text, 'Signal that asks the program to end. Default: SIGTERM.', ['SIGTERM', 'SIGQUIT']),
      grace: key(duration, 'Time to end before it is killed. Default: 10s.'),
    }),
    'How an instance is stopped.',
  ),
  drain: key(duration, 'Services: longest wait for requests in flight after leaving traffic. Default: 30s.'),
  readyTimeout: key(duration, 'Services: a new instance that is not ready after this has failed. Default: 60s.'),
  timeout: key(duration, 'Jobs: the run is ended after this. Default: 0 (no limit).'),
  ...schedulingKeys,
  labels: key(mapOf(scalar), 'Labels of the container.'),
  logs: key(
    object({
      maxSize: key(size, 'A file is rotated at this size. Default: 10Mi.'),
      maxFiles: key(count(1, 1000), 'Files kept. Default: 3.'),
    }),
    'Rotation of the output, and of the files in /persist/logs.',
  ),
})

export const overrideSchema = object({
  replicas: key(count(0, 10_000), 'Instances in this environment.'),
  cpu: key(cpu, 'Cores, instead of the entrypoint’s.'),
  memory: key(size, 'Memory limit, instead of the entrypoint’s.'),
  disk: key(size, 'Room on disk, instead of the entrypoint’s.'),
  burst: key(burst, 'Instead of the entrypoint’s.'),
  bandwidth: key(bandwidth, 'Instead of the entrypoint’s, part by part.'),
  resources: key(furtherResources, 'Further resources, instead of the entrypoint’s.'),
  env: key(variables, 'Added to the entrypoint’s; goes before the environment’s own `env`.'),
  ...schedulingOverrides,
})

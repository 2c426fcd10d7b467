import { type NodeConfigDocument, nameSource } from '@berth/core'
import { z } from 'zod'
import { count, duration, flag, key, mapOf, object, scalar, text, textOrTexts, texts } from '../spec/schema-object.ts'

const name = text.meta({ pattern: nameSource })
const share = text.meta({ pattern: '^[0-9]{1,3}(\\.[0-9])?%$' })

const fileKeys = {
  content: key(text, 'The text itself; or `from`.', ['Authorized use only.\n']),
  from: key(text, 'Path beside this document, in its repository or folder; instead of `content`.', [
    'files/chrony.conf',
  ]),
  mode: key(text.meta({ pattern: '^0?[0-7]{3,4}$' }), 'Permissions. Default: "0644".', ['0600']),
  owner: key(text, 'user:group. Default: root:root.', ['root:adm']),
  run: key(textOrTexts, 'Run when the file has become another one; without a shell.', [
    ['systemctl', 'reload', 'chrony'],
  ]),
}
const file = object(fileKeys)

const docker = object({
  options: key(mapOf(z.unknown()), 'Keys of dockerd’s daemon.json; those not named stay as the machine has them.', [
    { 'log-driver': 'local', 'max-concurrent-downloads': 6 },
  ]),
  mirrors: key(texts, 'Mirrors of Docker Hub, before those that the machine has itself.', [['https://mirror.example']]),
  insecure: key(texts, 'Registries without TLS, or with a certificate that is not checked; host:port or a range.', [
    ['registry.example:5000', '10.0.0.0/8'],
  ]),
  registries: key(
    mapOf(
      object({
        ca: key(
          object({ content: fileKeys.content, from: fileKeys.from }),
          'The authority that its certificate is of, as PEM.',
        ),
      }),
    ),
    'By host or host:port: what Docker needs to trust it.',
  ),
})

const check = z.union([
  text,
  object(
    {
      command: key(textOrTexts, 'Run as root, without a shell; good when it ends with 0.', [
        ['chronyc', 'waitsync', '1'],
      ]),
      timeout: key(duration, 'How long one run may take. Default: 10s.'),
    },
    ['command'],
  ),
])

const rule = object({
  groups: key(z.union([name, z.array(name)]), 'Node groups that it is for. Default: all.', ['default']),
  where: key(textOrTexts, 'Requirements on labels, all of which must hold. Default: none.', [['site = bj', '!spot']]),
  docker: key(docker, 'What dockerd is told.'),
  sysctls: key(mapOf(scalar), 'Settings of the kernel.', [{ 'net.core.somaxconn': 4096 }]),
  packages: key(texts, 'Packages of Debian or Ubuntu that must be there.', [['chrony', 'nfs-common']]),
  files: key(mapOf(file), 'Files, by absolute path.'),
  checks: key(z.array(check), 'What has to succeed on the node after its changes.'),
})

export const nodeConfigSchema = object(
  {
    enforce: key(flag, 'Correct what has drifted, instead of only telling. Default: false.'),
    rollout: key(
      object({
        batch: key(z.union([count(1, 10_000), share]), 'Nodes at a time. Default: 1.', [2, '10%']),
        pause: key(duration, 'Between two batches. Default: 0s.'),
        within: key(duration, 'How long a node may take to be well again, 1s to 1h. Default: 1m.'),
        onFailure: key(
          z.enum(['stop', 'undo']),
          'stop: the node that failed is undone, the others keep what they have. undo: all of this rollout are. Default: stop.',
        ),
      }),
      'How it comes to the nodes.',
    ),
    rules: key(z.array(rule), 'Who must have what; of two that match a node the later one wins, item by item.'),
  },
  ['rules'],
)

/** Keeps the schema and the type that `canonicalizeNodeConfig` reads from drifting apart. */
const assertSame = (document: z.infer<typeof nodeConfigSchema>): NodeConfigDocument => document
void assertSame

import { z } from 'zod'
import { count, duration, flag, key, object, text, textOrTexts } from './schema-object.ts'

const share = z.union([count(0, 10_000), text.meta({ pattern: '^(100|[1-9]?[0-9])%$' })])

const percent = text.meta({ pattern: '^(0|[0-9]{1,3}(\\.[0-9])?)%$' })
const number = z.union([z.number(), text])

const gate = z.union([
  text.meta({ examples: ['person'] }),
  object({
    health: key(duration, 'All new instances have served for so long without a break.', ['2m']),
    person: key(flag, 'Somebody has to say that it may go on (berth rollout continue).'),
    job: key(text, 'A job of the new release, run when the stage’s instances serve, ends with code 0.', ['smoke-test']),
    errors: key(percent, 'So much of the new release’s requests may be answered 5xx.', ['1%', '0.5%']),
    p50: key(duration, 'Half of its answers came within this.', ['50ms']),
    p95: key(duration, 'All but 5 % of its answers came within this.', ['200ms']),
    p99: key(duration, 'All but 1 % of its answers came within this.', ['500ms']),
    lost: key(count(0, 1_000_000), 'So many of its requests may have got no answer of an instance.', [0]),
    query: key(
      text,
      'PromQL, asked every 10 s; $app, $pool, $release, $from and $generation stand for the rollout’s own.',
      ['sum(rate(failures_total{release="$release"}[1m]))'],
    ),
    below: key(number, 'What the query says is below this at every look.', [0.05]),
    above: key(number, 'What the query says is above this at every look.', [10]),
    over: key(duration, 'The gate passes when that was so for so long. Default: 5m.', ['5m']),
    requests: key(
      count(1, 1_000_000),
      'With fewer requests there is nothing to go by. Default: 20; of lost ones: 1.',
      [100],
    ),
    onNoData: key(
      z.enum(['hold', 'rollback']),
      'What to do when there is nothing to go by when its time is over; it never passes. Default: hold.',
    ),
  }),
])

const hook = object({
  job: key(text, 'A job of the new release is run to its end.', ['warm-up']),
  url: key(text, 'It is posted to and has to answer with 2xx; an admin has to have allowed it (berth hook allow).', [
    'https://ci.example/berth',
  ]),
  timeout: key(duration, 'How long it may take, all tries together. Default: 10s for a URL, 10m for a job.', ['30s']),
  onFailure: key(
    z.enum(['hold', 'rollback']),
    'hold: the stage goes no further until a person says so; rollback: the pool goes back. Default: hold.',
  ),
})

const growth = object({
  from: key(percent, 'What it begins with, once the stage’s instances serve. Default: 0%.', ['5%']),
  to: key(percent, 'What it ends with.', ['50%']),
  over: key(duration, 'How long that takes; it stands still while the rollout is paused.', ['10m']),
})

const stage = object({
  name: key(text, 'What it is called in messages and receipts. Default: how many instances it is about.', ['canary']),
  instances: key(
    share,
    'How many instances of each service are of the new release at its end, those of earlier stages counted in; a share is rounded up. Default: all.',
    [1, '25%'],
  ),
  traffic: key(
    z.union([percent, growth]),
    'How much of its routes’ requests goes to the new release while it lasts, or how it grows meanwhile; where `instances` is not given, as large a share of them is new. Default: each instance gets as much as any other.',
    ['5%', { from: '5%', to: '50%', over: '10m' }],
  ),
  sites: key(
    z.array(text),
    'Only instances on nodes of these sites are replaced, by new ones there. Default: wherever they are.',
    [['paris']],
  ),
  entrypoints: key(
    z.array(text),
    'Only these services; the others stay as the stages before have left them. Default: all.',
    [['worker']],
  ),
  beside: key(flag, 'All old instances stay beside the new ones while it lasts. Default: false.'),
  gates: key(z.array(gate), 'What must be true before the next stage begins, all of it.', [
    [{ health: '2m' }, 'person'],
  ]),
  before: key(z.array(hook), 'Run or told one after the other, before the first instance of this stage is replaced.', [
    [{ job: 'warm-up' }],
  ]),
  after: key(z.array(hook), 'The same once its gates have passed, before the next stage begins.', [
    [{ url: 'https://ci.example/berth' }],
  ]),
})

const parts = {
  surge: key(
    share,
    'Instances above the wanted count while it runs: a number, or a share of it like 25%, rounded up. Default: 25%.',
    [1, '25%'],
  ),
  unavailable: key(
    share,
    'Instances that may be missing while it runs: a number, or a share of the wanted count, rounded down. Default: 0.',
    [0, '10%'],
  ),
  settle: key(duration, 'How long a new instance must stay ready before the next one is replaced. Default: 0s.'),
  imageTimeout: key(
    duration,
    'How long the image may make no progress on its way to the nodes, before anything is replaced. Default: 10m.',
  ),
  strategy: key(
    z.enum(['rolling', 'canary', 'blue-green', 'recreate']),
    'rolling: batch by batch; canary: one instance first, for five minutes; blue-green: all new ones beside the old, then all traffic at once; recreate: old ones end before new ones begin. Default: rolling.',
  ),
  keep: key(duration, 'blue-green: how long the old instances stay after the switch. Default: 10m.', ['30m']),
  approvals: key(
    count(0, 10),
    'So many people, other than who asks for it, have to say yes before a deploy begins (berth rollout approve). Default: 0.',
    [2],
  ),
  stages: key(
    z.array(stage),
    'What a deploy over another release goes through, one after the other; a last one about all instances follows by itself. Default: none.',
  ),
}

export const rollout = object({
  ...parts,
  before: key(textOrTexts, 'Jobs run to their end before the first instance is replaced, in order.', [['migrate']]),
})

export const environmentRollout = object(parts)

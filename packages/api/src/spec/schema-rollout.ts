import { z } from 'zod'
import { count, duration, flag, key, object, text, textOrTexts } from './schema-object.ts'

const share = z.union([count(0, 10_000), text.meta({ pattern: '^(100|[1-9]?[0-9])%$' })])

const gate = z.union([
  text.meta({ examples: ['person'] }),
  object({
    health: key(duration, 'All new instances have served for so long without a break.', ['2m']),
    person: key(flag, 'Somebody has to say that it may go on (berth rollout continue).'),
  }),
])

const stage = object({
  name: key(text, 'What it is called in messages and receipts. Default: how many instances it is about.', ['canary']),
  instances: key(
    share,
    'How many instances of each service are of the new release at its end, those of earlier stages counted in; a share is rounded up. Default: all.',
    [1, '25%'],
  ),
  gates: key(z.array(gate), 'What must be true before the next stage begins, all of it.', [
    [{ health: '2m' }, 'person'],
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

import { nameSource } from '@berth/core'
import { z } from 'zod'
import { count, duration, key, mapOf, object, text, textOrTexts } from './schema-object.ts'

const name = text.meta({ pattern: nameSource })
const priority = count(-1000, 1000)
const weight = count(-100, 100)

const requirement = text.meta({ examples: ['site = bj', 'disk in (ssd, nvme)', '!spot', 'kernel >= 6.1'] })

const preference = z.union([
  requirement,
  object(
    {
      where: key(requirement, 'A requirement on the node’s labels.'),
      weight: key(weight, 'How much it is wished for, −100 to 100; below 0 such nodes are avoided. Default: 10.'),
    },
    ['where'],
  ),
])

const peer = z.union([
  text.meta({ examples: ['db', 'shop/db', 'shop/*'] }),
  object(
    {
      to: key(text, 'An entrypoint of this app (`db`), of another one (`shop/db`), or a whole app (`shop/*`).', [
        'shop/db',
      ]),
      soft: key(
        z.union([z.boolean(), count(1, 100)]),
        'Only wished for: true, or how much (1 to 100). Default: false, it must be so.',
      ),
      over: key(text, 'A label: on nodes with the same value of it. Default: on one node.', ['site']),
    },
    ['to'],
  ),
])

const strategy = z.union([
  z.enum(['spread', 'pack', 'drain-first', 'balance', 'fill', 'each']),
  object({
    fill: key(count(1, 10_000), 'Up to so many on a node, then the next.'),
    each: key(count(1, 10_000), 'So many on every node that matches.'),
  }),
])

const shares = object(
  {
    over: key(text, 'A label of nodes, such as site.', ['site']),
    shares: key(
      mapOf(z.union([text.meta({ pattern: '^[0-9]{1,3}(\\.[0-9])?%$' }), count(1, 100)])),
      'Share of each value of the label; 100% together. Default: the same for every value.',
      [{ bj: '70%', cloud: '30%' }],
    ),
  },
  ['over'],
)

const placement = object({
  group: key(name, 'Node group. Default: that of the pool (`berth pool move`), else default.'),
  strategy: key(
    strategy,
    'Which of the nodes that will do: spread, pack, drain-first, balance, {fill: N}, or each for one on every node. Default: spread.',
    ['pack', { fill: 3 }, 'each'],
  ),
  where: key(
    z.union([requirement, z.array(requirement)]),
    'Requirements on the node’s labels, all of which must hold; site and kind are labels as well.',
    [['site = bj', 'disk in (ssd, nvme)']],
  ),
  prefer: key(z.array(preference), 'What is wished for, before the strategy’s own order.'),
  apart: key(z.array(peer), 'Not on a node with any of these.', [['db', 'shop/*']]),
  near: key(z.array(peer), 'Only on a node with all of these.', [['cache']]),
  spread: key(shares, 'Over what, and in which proportions.'),
  max: key(
    object({
      node: key(count(1, 10_000), 'Instances on one node.'),
      site: key(count(1, 10_000), 'Instances on the nodes of one site.'),
    }),
    'At most so many of this entrypoint in its pool. Default: no limit.',
  ),
  tolerate: key(textOrTexts, 'Taints of nodes that do not matter: a key, or key=value.', [['gpu', 'dedicated=ml']]),
  reschedule: key(
    object({
      after: key(
        z.union([duration, z.literal('never')]),
        'An instance whose node is lost is replaced after this. Default: 60s, and never with a volume of the node.',
      ),
    }),
    'When a node is lost.',
  ),
})

const fullSchedule = object(
  {
    cron: key(text, 'Minute, hour, day of month, month, day of week; or @hourly, @daily, @weekly, @monthly, @yearly.', [
      '0 3 * * *',
      '@daily',
    ]),
    zone: key(text, 'Whose clocks: an IANA time zone. Default: UTC.', ['Europe/Berlin']),
    overlap: key(
      z.enum(['skip', 'replace', 'allow']),
      'The run before is not over: leave this one out, stop the one before, or run both. Default: skip.',
    ),
    history: key(count(1, 100), 'Ended runs that are kept. Default: 10.'),
    grace: key(duration, 'A run that was missed is made up for if it is no later than this. Default: 1h.'),
  },
  ['cron'],
)
const schedule = z.union([text, fullSchedule])

/** Keys of an entrypoint that say when and where it runs. */
export const schedulingKeys = {
  schedule: key(schedule, 'Jobs: when it runs by itself; in short the cron expression.', ['0 3 * * *']),
  placement: key(placement, 'Where instances run.'),
  priority: key(priority, 'Who goes first when there is too little room, −1000 to 1000. Default: 0.'),
  preempt: key(z.boolean(), 'May displace what has a lower priority and is preemptible. Default: false.'),
  preemptible: key(z.boolean(), 'May be displaced. Default: false.'),
  gang: key(z.boolean(), 'All that are created at once find a place, or none is created. Default: false.'),
}

/** What an environment may have otherwise. */
export const schedulingOverrides = {
  placement: key(placement, 'Parts that take the place of the entrypoint’s.'),
  priority: key(priority, 'Instead of the entrypoint’s.'),
  schedule: key(schedule, 'Jobs: another schedule, or `off`.', ['off']),
}

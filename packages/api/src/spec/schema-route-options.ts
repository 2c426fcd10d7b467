import { z } from 'zod'
import { count, duration, flag, key, object, text } from './schema-object.ts'

const rate = z.union([count(1, 1_000_000), text.meta({ pattern: '^[0-9]{1,7}(/[smh])?$', examples: ['100/s'] })])

/** What a route may say beyond where it leads. */
export const routeOptions = {
  protocol: key(
    z.enum(['http', 'grpc']),
    'What instances speak: HTTP/1.1 with websockets, or gRPC (HTTP/2 without TLS) and nothing else. Default: http.',
  ),
  connectTimeout: key(duration, 'How long an instance may take to accept a connection. Default: 3s.'),
  sendTimeout: key(duration, 'How long it may take no further byte of a request. Default: as `timeout`.'),
  retries: key(
    z.union([
      count(0, 10),
      object({
        count: key(count(0, 10), 'How many other instances. Default: 2.'),
        on: key(
          z.array(count(500, 504)).min(1).max(4),
          'Also for these answers, except to what may change something (POST, PATCH); of 500, 502, 503 and 504.',
        ),
      }),
    ]),
    'How many other instances a request is sent to that failed without an answer; POST and PATCH only if they were not sent yet. Default: 2.',
  ),
  limit: key(
    z.union([
      rate,
      object({
        requests: key(rate, 'So many a second (/s), minute (/m) or hour (/h), evenly.', ['100/s']),
        burst: key(count(0, 1_000_000), 'So many more at once. Default: what comes in a second.'),
        concurrent: key(count(1, 1_000_000), 'So many at a time.'),
        per: key(z.enum(['client', 'route']), 'Of each address of clients, or of all together. Default: client.'),
      }),
    ]),
    'What goes beyond it is answered 429.',
    ['100/s'],
  ),
  sticky: key(
    z.union([flag, text]),
    'A client stays with its instance, by a cookie; or the cookie’s name. Of a port by its address, for an hour after it came last, or for how long. Default: false.',
  ),
  slowStart: key(duration, 'For so long a new instance gets less than its share, more and more. Default: 0s.'),
  ejection: key(
    z.union([
      z.literal('off'),
      object({
        failures: key(count(1, 1_000), 'So many failures in a row. Default: 2.'),
        rest: key(duration, 'For so long it gets nothing. Default: 2s.'),
      }),
    ]),
    'When an instance that fails is passed over.',
  ),
  whenEmpty: key(
    z.enum(['keep', 'maintenance', 'refuse']),
    'While no instance serves: the last ones known go on, the maintenance page is shown, or (of a port) connections are refused. Default: keep.',
  ),
  sites: key(
    object({
      prefer: key(z.enum(['near', 'any']), 'Instances of the gateway’s own site, or all alike. Default: near.'),
      spillBelow: key(
        text,
        'While less than this share of a site’s instances is ready, the rest of its requests goes elsewhere. Default: 70%.',
        ['70%'],
      ),
      spillAt: key(
        count(1, 100_000),
        'An instance that serves so many at a time gets no more while others are elsewhere.',
      ),
      writes: key(text, 'Requests that may change something (neither GET, HEAD nor OPTIONS) go to this site.', ['bj']),
    }),
    'Which sites’ instances requests go to, where nodes bear the label site.',
  ),
}

import { nameSource, type SpecDocument } from '@berth/core'
import { z } from 'zod'
import { entrypointSchema, overrideSchema } from './schema-entrypoint.ts'
import {
  count,
  cpu,
  duration,
  flag,
  key,
  mapOf,
  object,
  size,
  text,
  textOrTexts,
  texts,
  variables,
} from './schema-object.ts'
import { environmentRollout, rollout } from './schema-rollout.ts'
import { routeOptions } from './schema-route-options.ts'

const name = text.meta({ pattern: nameSource })

const buildSchema = object({
  base: key(text, 'What everything is put on: an image, or a level of the image chain by its name.', [
    'node:26-slim',
    'base',
  ]),
  runtimes: key(textOrTexts, 'Levels on top of the base, in order.', [['node']]),
  dependencies: key(
    object({
      files: key(texts, 'Files that the dependencies follow from; with the same files the layer is reused.', [
        ['package.json', 'package-lock.json'],
      ]),
      run: key(textOrTexts, 'Shell lines that install them, run with these files alone in /app.', ['npm ci']),
    }),
    'Dependencies, in a layer of their own before the source is copied.',
  ),
  run: key(textOrTexts, 'Shell lines run in /app with the whole source, one layer each.', ['npm run build']),
  dockerfile: key(text, 'Path of a Dockerfile in the repository, used instead of the chain.', ['Dockerfile']),
  target: key(text, 'Stage of the Dockerfile. Default: the last.'),
  args: key(variables, 'Build arguments. They stay visible in the image: never put a secret here.'),
  limits: key(
    object({
      cpu: key(cpu, 'Cores. Default: 2.'),
      memory: key(size, 'Default: 4Gi.'),
      timeout: key(duration, 'The build is ended after this. Default: 30m.'),
      network: key(z.enum(['default', 'none', 'host']), 'Network of the build’s commands. Default: default.'),
      proxy: key(text, 'Proxy for the build’s commands (HTTP_PROXY and HTTPS_PROXY).', [
        'http://proxy.example.com:3128',
      ]),
    }),
    'What a build may use.',
  ),
})

const route = z.union([
  text.meta({ examples: ['shop.example.com', 'shop.example.com/api'] }),
  object({
    tcp: key(count(1, 65_535), 'Instead of a host: this port of the gateways, for whatever is spoken by TCP.', [5432]),
    udp: key(count(1, 65_535), 'Instead of a host: this port of the gateways, for whatever is spoken by UDP.', [53]),
    allow: key(textOrTexts, 'Of a port: blocks of addresses that clients may have. Default: any.', [['10.0.0.0/8']]),
    host: key(text, 'Host name, *.suffix for all names below one, or * for all.', ['shop.example.com']),
    path: key(text, 'Prefix of whole segments: /api stands for /api and /api/…. Default: /.', ['/api']),
    entrypoint: key(name, 'Who answers. Default: the first service with a tcp port.'),
    port: key(z.union([text, count(1, 65_535)]), 'Name or number of its port. Default: the first tcp port.'),
    tls: key(
      z.enum(['off', 'on', 'redirect']),
      'off: HTTP only; on: HTTP, and HTTPS where there is a certificate; redirect: HTTPS, to which HTTP leads. Default: on.',
    ),
    stripPath: key(flag, 'Takes the path away before the request is passed on. Default: false.'),
    timeout: key(duration, 'Longest wait for the next byte of an answer. Default: 60s.'),
    maxBody: key(size, 'Larger request bodies are refused; 0 for no limit. Default: 100Mi.'),
    ...routeOptions,
  }).meta({ anyOf: [{ required: ['host'] }, { required: ['tcp'] }, { required: ['udp'] }] }),
])
const routes = key(z.array(route), 'Where the gateway gets requests for this app from; in short host/path.')

const environment = object({
  env: key(variables, 'Added to the `env` of every entrypoint, and goes before it.'),
  entrypoints: key(mapOf(z.union([overrideSchema, z.null()]), nameSource), 'Values of single entrypoints.'),
  routes: key(routes, 'Replace the app’s routes in this environment.'),
  rollout: key(environmentRollout, 'How its pools move from one release to the next; what is not said is as above.'),
})

export const specDocumentSchema = object(
  {
    app: key(name, 'Name of the app.', ['shop']),
    image: key(text, 'A ready image, taken as it is; instead of `build`.', ['registry.example.com/shop:1.4.2']),
    build: key(buildSchema, 'How the image is made; instead of `image`.'),
    entrypoints: key(
      mapOf(z.union([entrypointSchema, z.null()]), nameSource),
      'The roles of the app: one image, many commands.',
    ),
    profiles: key(textOrTexts, 'Security profiles of every entrypoint that names none itself.', [['web']]),
    searchDomains: key(textOrTexts, 'Where short names are looked for, for every entrypoint that says none itself.', [
      ['corp.example'],
    ]),
    routes,
    rollout: key(rollout, 'How a pool moves from one release to the next.'),
    test: key(
      textOrTexts,
      'Jobs run in the built image, in order: one that fails keeps the release from being rolled out.',
      [['unit']],
    ),
    environments: key(
      mapOf(z.union([environment, z.null()]), nameSource),
      'Values that differ by environment; the image never does.',
    ),
  },
  ['app', 'entrypoints'],
)

/** Keeps the schema and the type that `canonicalize` reads from drifting apart. */
const assertSame = (document: z.infer<typeof specDocumentSchema>): SpecDocument => document
void assertSame

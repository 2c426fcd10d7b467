import { z } from 'zod'
import { object } from './spec/schema-object.ts'
import { routeOptions } from './spec/schema-route-options.ts'

/** Resources of names; see `index.ts`. */
const protocol = z.enum(['tcp', 'udp'])
const tls = z.enum(['off', 'on', 'redirect'])
const amount = z.union([z.string(), z.number()])
const port = z.union([
  z.number(),
  z.string(),
  z.strictObject({ name: z.string().optional(), port: z.number(), protocol: protocol.optional() }),
])

const options = object(routeOptions)

/** As `berth.yaml` has ports and routes; core says what is wrong with them. */
export const externalDocument = z.strictObject({
  addresses: z.array(z.string()).optional(),
  /** Instead of addresses: somebody else's host name. */
  target: z.string().optional(),
  /** A list (`[8080, "53/udp"]`), or by name (`{mysql: 3306}`). */
  ports: z.union([z.array(port), z.record(z.string(), port)]).optional(),
  tags: z.array(z.string()).optional(),
  site: z.string().optional(),
  routes: z
    .array(
      z.union([
        z.string(),
        z.strictObject({
          host: z.string(),
          path: z.string().optional(),
          port: z.union([z.string(), z.number()]).optional(),
          tls: tls.optional(),
          stripPath: z.boolean().optional(),
          timeout: amount.optional(),
          maxBody: amount.optional(),
          ...options.shape,
        }),
      ]),
    )
    .optional(),
})

export const externalView = z.object({
  name: z.string(),
  /** What is looked up: `mysql.shop.berth`. */
  hostname: z.string(),
  addresses: z.array(z.string()),
  target: z.string().optional(),
  ports: z.array(z.object({ name: z.string(), port: z.number().int(), protocol })),
  tags: z.array(z.string()),
  site: z.string().optional(),
  routes: z.array(
    z.object({
      ...{ host: z.string(), path: z.string(), port: z.string(), tls, stripPath: z.boolean() },
      ...{ timeoutMs: z.number().int(), maxBodyBytes: z.number().int() },
      /** As they are written in `berth.yaml`. */
      options: options.optional(),
    }),
  ),
  version: z.number().int(),
  updatedAt: z.number().int(),
  updatedBy: z.string(),
})
export type ExternalView = z.infer<typeof externalView>

export const domainDocument = z.strictObject({
  /** One of Berth's names: `db.production.shop`. */
  target: z.string().optional(),
  addresses: z.array(z.string()).optional(),
  /** Asked for all names in and below the domain; with a site, by its nodes only. */
  resolvers: z.array(z.strictObject({ address: z.string(), site: z.string().optional() })).optional(),
})

export const domainView = z.object({
  name: z.string(),
  target: z.string().optional(),
  addresses: z.array(z.string()),
  resolvers: z.array(z.object({ address: z.string(), site: z.string().optional() })),
  /** What is seldom meant, or leads nowhere, one sentence each. */
  warnings: z.array(z.string()),
  version: z.number().int(),
  updatedAt: z.number().int(),
  updatedBy: z.string(),
})
export type DomainView = z.infer<typeof domainView>

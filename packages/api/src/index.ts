/**
 * The API: its endpoints, its client, and in the files `*-resources.ts` the resources as they travel over HTTP. The server makes them from
 * its records; the CLI and the console know only these. Times are milliseconds since the epoch, CPU thousandths of a core, sizes bytes.
 */

export * from './access-resources.ts'
export * from './agent-protocol.ts'
export * from './app-resources.ts'
export * from './client.ts'
export * from './cluster-headers.ts'
export * from './cluster-resources.ts'
export * from './deploy-resources.ts'
export * from './endpoint.ts'
export * from './endpoints.ts'
export * from './exec-frames.ts'
export * from './fetch-transport.ts'
export * from './instance-resources.ts'
export * from './node-config/index.ts'
export * from './node-config-resources.ts'
export * from './node-resources.ts'
export * from './planning-resources.ts'
export * from './registry-resources.ts'
export * from './routing-resources.ts'
export * from './scheduling-resources.ts'
export * from './secret-uses.ts'
export * from './sizing-resources.ts'
export * from './spec/index.ts'
export * from './stream-lines.ts'
export * from './traffic-resources.ts'

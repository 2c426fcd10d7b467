export * from './node-config-json-schema.ts'
export * from './parse-node-config.ts'

export * from './format-problems.ts'
export * from './parse-spec.ts'
export * from './render-spec.ts'
export * from './spec-json-schema.ts'

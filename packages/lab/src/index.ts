export * from './lab.ts'

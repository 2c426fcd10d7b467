export * from './model/berth-error.ts'

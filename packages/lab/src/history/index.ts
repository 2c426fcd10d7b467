export { checkHistory } from './check-history.ts'
export * from './history.ts'

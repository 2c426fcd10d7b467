export * from './parse-profile.ts'

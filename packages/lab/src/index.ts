export { createLab, openLab } from './create-lab.ts'
export * from './lab.ts'
export { listManifests, type Manifest } from './manifest.ts'
export { cleanLabs } from './teardown.ts'

import { getAsset, isSea } from 'node:sea'
import { Worker } from 'node:worker_threads'

/** An executable has no files beside it: the program of the store's thread is in it as text. */
export const storeWorker = (): (() => Worker) | undefined =>
  isSea() ? () => new Worker(getAsset('roles/sqlite-worker.cjs', 'utf8'), { eval: true }) : undefined

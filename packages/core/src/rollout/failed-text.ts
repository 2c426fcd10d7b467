import type { RolloutFailure } from '../model/index.ts'

/** `shop.production.web-4 exited 3 times …`, `node-b could not get the image …` */
export const failedText = ({ instance, node, reason }: RolloutFailure): string =>
  [instance ?? node, reason].filter((each) => each !== undefined).join(' ')

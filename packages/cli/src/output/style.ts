/** Colour only for people at a terminal, and never with `NO_COLOR`. */
export interface Style {
  readonly bold: Paint
  readonly dim: Paint
  readonly red: Paint
  readonly green: Paint
  readonly yellow: Paint
  readonly blue: Paint
}

type Paint = (text: string) => string

const paint =
  (on: boolean, open: number, close: number): Paint =>
  (text) =>
    on ? `\u001b[${open}m${text}\u001b[${close}m` : text

export function createStyle(on: boolean): Style {
  return {
    bold: paint(on, 1, 22),
    dim: paint(on, 2, 22),
    red: paint(on, 31, 39),
    green: paint(on, 32, 39),
    yellow: paint(on, 33, 39),
    blue: paint(on, 34, 39),
  }
}

export const wantsColor = (stream: { isTTY?: boolean }, env: NodeJS.ProcessEnv): boolean =>
  env.FORCE_COLOR !== undefined
    ? env.FORCE_COLOR !== '0'
    : env.NO_COLOR === undefined && stream.isTTY === true && env.TERM !== 'dumb'

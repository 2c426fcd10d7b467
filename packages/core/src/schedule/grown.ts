type Column = Int32Array | Uint8Array | Uint16Array | Uint32Array | Float64Array

/** The column, or a longer copy that holds `length` entries; grows by doubling. */
export function grown<T extends Column>(column: T, length: number): T {
  if (length <= column.length) return column
  const longer = new (column.constructor as new (length: number) => T)(Math.max(length, column.length * 2, 16))
  longer.set(column)
  return longer
}

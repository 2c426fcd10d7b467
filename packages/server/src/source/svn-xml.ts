/** Reads the few things needed of svn's own, well-formed XML output. */

/** Text of the first element of this name. */
export const elementText = (xml: string, name: string): string | undefined => {
  const match = new RegExp(`<${name}(?:\\s[^>]*)?>([^<]*)</${name}>`).exec(xml)
  return match?.[1] === undefined ? undefined : unescapeXml(match[1])
}

/** Attribute of the first element of this name. */
export const attribute = (xml: string, element: string, name: string): string | undefined => {
  const match = new RegExp(`<${element}\\s[^>]*?\\b${name}="([^"]*)"`, 's').exec(xml)
  return match?.[1] === undefined ? undefined : unescapeXml(match[1])
}

/** The whole text of every element of this name, for elements that do not nest. */
export const elements = (xml: string, name: string): string[] =>
  [...xml.matchAll(new RegExp(`<${name}[\\s>].*?</${name}>`, 'gs'))].map(([whole]) => whole)

const entities: Readonly<Record<string, string>> = { lt: '<', gt: '>', amp: '&', quot: '"', apos: "'" }

const unescapeXml = (text: string): string =>
  text.replace(/&(?:#x([0-9a-f]{1,6})|#(\d{1,7})|(\w+));/gi, (whole, hex, decimal, name) => {
    if (name !== undefined) return entities[name] ?? whole
    const code = hex === undefined ? Number(decimal) : Number.parseInt(hex, 16)
    return code <= 0x10ffff ? String.fromCodePoint(code) : whole
  })

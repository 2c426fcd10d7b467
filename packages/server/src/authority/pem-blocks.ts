const certificateBlocks = /-----BEGIN CERTIFICATE-----[\s\S]*?-----END CERTIFICATE-----\n?/g
const keyBlock = /-----BEGIN PRIVATE KEY-----[\s\S]*?-----END PRIVATE KEY-----\n?/

/** Every certificate in a text, in its order, each with its newline as it stands there. */
export const certificatesIn = (text: string): string[] => text.match(certificateBlocks) ?? []

/** The first private key in a text; empty when there is none. */
export const keyIn = (text: string): string => keyBlock.exec(text)?.[0] ?? ''

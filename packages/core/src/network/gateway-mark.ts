/**
 * The bit of a connection's mark by which the kernel of a gateway's node knows those of its routes of ports: security profiles let them in, as
 * they let in what nginx sends, and they are counted. Other bits are left as they are.
 */
export const portRouteMark = 0x0800_0000

/** In nft's words, of a connection that has it. */
export const hasPortRouteMark = `ct mark & ${portRouteMark} == ${portRouteMark}`

/** Where instances ask for names: the same on every node, and never routed. */
export const nodeDnsAddress = '169.254.77.53'

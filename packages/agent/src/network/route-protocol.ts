/** Marks our routes in the kernel (`proto 77`), so that nobody else's is ever touched. */
export const routeProtocol = '77'

/** Marks our routes to this node's own containers and its block, in routed mode. */
export const routedProtocol = '78'

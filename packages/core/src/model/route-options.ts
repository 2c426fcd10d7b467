/** What a route may say beyond where it leads. What is absent is as for all routes. */
export interface RouteOptions {
  /** `grpc`: members speak HTTP/2 without TLS, and nothing but gRPC is passed on. Absent: HTTP/1.1. */
  readonly protocol?: 'grpc'
  /** How long a member may take to accept. Absent: 3 s. */
  readonly connectTimeoutMs?: number
  /** How long it may take no further byte of a request. Absent: as long as an answer may take. */
  readonly sendTimeoutMs?: number
  /** How many other members a request that failed is sent to, if it may be sent again. Absent: 2. */
  readonly retries?: number
  /**
   * Answers (of {@link retryStatuses}, in their order) for which a request is sent to another member as if none had come, unless it may change
   * something. The last one asked answers the client. Absent: none.
   */
  readonly retryOn?: readonly number[]
  readonly limit?: RouteLimit
  /** Name of the cookie by which a client stays with its instance. Absent: it does not. */
  readonly stickyCookie?: string
  /** For so long a new instance gets less than its share. Absent: it gets it at once. */
  readonly slowStartMs?: number
  /** Absent: two failures in a row, two seconds. */
  readonly ejection?: Ejection
  /** What is shown while nobody serves it. Absent: the last known members go on. */
  readonly whenEmpty?: 'maintenance'
  /** On the server; gateways are told what follows from it for their site. Absent: members near are preferred. */
  readonly sites?: SitePreference
}

/** Which sites' members a route prefers. */
export interface SitePreference {
  /** `near`: those of the gateway's own site (default); `any`: all alike. */
  readonly prefer?: 'near' | 'any'
  /** While less than this part of those wanted in a site is ready, the rest of its requests goes elsewhere. Default: 0.7. */
  readonly spillBelow?: number
  /** A request goes elsewhere that would be given to a member which serves so many already. Absent: however many. */
  readonly spillAt?: number
  /** Requests that may change something go to this site. Absent: they go where all do. */
  readonly writes?: string
}

/** What goes beyond it is answered 429. 0: no such limit. */
export interface RouteLimit {
  /** So many may come in each period, evenly; `burst` more at once. */
  readonly requests: number
  readonly periodMs: number
  readonly burst: number
  /** So many at a time. */
  readonly concurrent: number
  /** Of each address of clients, or of all together. */
  readonly per: 'client' | 'route'
}

/** After so many failures in a row an instance rests; 0: never. */
export interface Ejection {
  readonly failures: number
  readonly restMs: number
}

export const defaultRetries = 2

/** Gateways have a location for each choice of them. */
export const retryStatuses: readonly number[] = [500, 502, 503, 504]

/** Least and most of the numbers. */
export const routeOptionBounds = {
  connectTimeoutMs: [1, 75_000],
  sendTimeoutMs: [1, 86_400_000],
  retries: [0, 10],
  slowStartMs: [0, 3_600_000],
} as const

export const isCookieName = (text: string): boolean => /^[A-Za-z0-9_]{1,64}$/.test(text)

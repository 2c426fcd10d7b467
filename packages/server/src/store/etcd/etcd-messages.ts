import { bool, bytes, int, int64, message, nested, repeated, string, uint64 } from './protobuf.ts'

/**
 * The part of etcd's API (etcdserverpb, mvccpb; the same in 3.4 to 3.6) that this adapter speaks, with etcd's own names. It is a table in the
 * program, so nothing is read from a .proto file when it runs.
 */
export interface Header {
  readonly cluster_id: string
  readonly member_id: string
  readonly revision: number
  readonly raft_term: number
}

/** Every answer has one. */
export interface Headed {
  readonly header: Header
}

export interface EtcdKeyValue {
  readonly key: Buffer
  readonly create_revision: number
  readonly mod_revision: number
  readonly version: number
  readonly value: Buffer
  readonly lease: string
}

export interface RangeRequest {
  readonly key: Buffer
  readonly range_end?: Buffer
  readonly limit?: number
  readonly revision?: number
  readonly keys_only?: boolean
  readonly count_only?: boolean
  readonly max_mod_revision?: number
}

export interface RangeResponse extends Headed {
  readonly kvs: readonly EtcdKeyValue[]
  readonly more: boolean
  readonly count: number
}

export interface PutRequest {
  readonly key: Buffer
  readonly value: Buffer
  readonly lease?: string
}

export interface DeleteRangeRequest {
  readonly key: Buffer
  readonly range_end?: Buffer
}

export const compareTarget = { version: 0, create: 1, mod: 2, value: 3 } as const

export interface EtcdCompare {
  /** Absent: equal. 1: greater, 2: less, 3: not equal. */
  readonly result?: number
  readonly target: number
  readonly key: Buffer
  readonly version?: number
  readonly create_revision?: number
  readonly mod_revision?: number
  readonly value?: Buffer
}

/** One of them. */
export interface RequestOp {
  readonly request_range?: RangeRequest
  readonly request_put?: PutRequest
  readonly request_delete_range?: DeleteRangeRequest
}

export interface TxnRequest {
  readonly compare: readonly EtcdCompare[]
  readonly success: readonly RequestOp[]
  readonly failure?: readonly RequestOp[]
}

export interface ResponseOp {
  readonly response_range?: RangeResponse
}

export interface TxnResponse extends Headed {
  readonly succeeded: boolean
  readonly responses: readonly ResponseOp[]
}

export interface CompactionRequest {
  readonly revision: number
  readonly physical?: boolean
}

export interface WatchCreateRequest {
  readonly key: Buffer
  readonly range_end: Buffer
  readonly start_revision: number
  readonly progress_notify?: boolean
  readonly prev_kv?: boolean
  readonly fragment?: boolean
}

export interface WatchRequest {
  readonly create_request: WatchCreateRequest
}

export interface EtcdEvent {
  /** 0 put, 1 delete */
  readonly type: number
  readonly kv: EtcdKeyValue
  readonly prev_kv: EtcdKeyValue | undefined
}

export interface WatchResponse extends Headed {
  readonly created: boolean
  readonly canceled: boolean
  readonly compact_revision: number
  readonly cancel_reason: string
  /** More events of the same answer follow in the next message. */
  readonly fragment: boolean
  readonly events: readonly EtcdEvent[]
}

export interface LeaseGrantRequest {
  readonly TTL: number
  readonly ID: string
}

export interface LeaseRequest {
  readonly ID: string
}

export interface LeaseResponse extends Headed {
  readonly ID: string
  readonly TTL: number
  readonly error: string
}

export interface AuthenticateRequest {
  readonly name: string
  readonly password: string
}

export interface AuthenticateResponse extends Headed {
  readonly token: string
}

export interface StatusResponse extends Headed {
  readonly version: string
  readonly dbSize: number
  readonly leader: string
  readonly errors: readonly string[]
  readonly dbSizeInUse: number
}

const header = message<Header>({
  cluster_id: uint64(1),
  member_id: uint64(2),
  revision: int(3),
  raft_term: int(4),
})
const headed = { header: nested(1, () => header) }
const keyValue = message<EtcdKeyValue>({
  key: bytes(1),
  create_revision: int(2),
  mod_revision: int(3),
  version: int(4),
  value: bytes(5),
  lease: int64(6),
})
const rangeRequest = message<RangeRequest>({
  key: bytes(1),
  range_end: bytes(2),
  limit: int(3),
  revision: int(4),
  keys_only: bool(8),
  count_only: bool(9),
  max_mod_revision: int(11),
})
const rangeResponse = message<RangeResponse>({
  ...headed,
  kvs: repeated(nested(2, () => keyValue)),
  more: bool(3),
  count: int(4),
})
const putRequest = message<PutRequest>({ key: bytes(1), value: bytes(2), lease: int64(3) })
const deleteRangeRequest = message<DeleteRangeRequest>({ key: bytes(1), range_end: bytes(2) })
const compare = message<EtcdCompare>({
  result: int(1),
  target: int(2),
  key: bytes(3),
  version: int(4),
  create_revision: int(5),
  mod_revision: int(6),
  value: bytes(7),
})
const requestOp = message<RequestOp>({
  request_range: nested(1, () => rangeRequest),
  request_put: nested(2, () => putRequest),
  request_delete_range: nested(3, () => deleteRangeRequest),
})
const responseOp = message<ResponseOp>({ response_range: nested(1, () => rangeResponse) })
const txnRequest = message<TxnRequest>({
  compare: repeated(nested(1, () => compare)),
  success: repeated(nested(2, () => requestOp)),
  failure: repeated(nested(3, () => requestOp)),
})
const txnResponse = message<TxnResponse>({
  ...headed,
  succeeded: bool(2),
  responses: repeated(nested(3, () => responseOp)),
})
const watchCreateRequest = message<WatchCreateRequest>({
  key: bytes(1),
  range_end: bytes(2),
  start_revision: int(3),
  progress_notify: bool(4),
  prev_kv: bool(6),
  fragment: bool(8),
})
const event = message<EtcdEvent>({ type: int(1), kv: nested(2, () => keyValue), prev_kv: nested(3, () => keyValue) })
const onlyHeader = message<Headed>(headed)
const leaseRequest = message<LeaseRequest>({ ID: int64(1) })
const leaseResponse = message<LeaseResponse>({ ...headed, ID: int64(2), TTL: int(3), error: string(4) })

/** The calls: path, and the forms of question and answer. */
export const calls = {
  range: { path: '/etcdserverpb.KV/Range', request: rangeRequest, response: rangeResponse },
  txn: { path: '/etcdserverpb.KV/Txn', request: txnRequest, response: txnResponse },
  compact: {
    path: '/etcdserverpb.KV/Compact',
    request: message<CompactionRequest>({ revision: int(1), physical: bool(2) }),
    response: onlyHeader,
  },
  watch: {
    path: '/etcdserverpb.Watch/Watch',
    request: message<WatchRequest>({ create_request: nested(1, () => watchCreateRequest) }),
    response: message<WatchResponse>({
      ...headed,
      created: bool(3),
      canceled: bool(4),
      compact_revision: int(5),
      cancel_reason: string(6),
      fragment: bool(7),
      events: repeated(nested(11, () => event)),
    }),
  },
  leaseGrant: {
    path: '/etcdserverpb.Lease/LeaseGrant',
    request: message<LeaseGrantRequest>({ TTL: int(1), ID: int64(2) }),
    response: leaseResponse,
  },
  leaseRevoke: { path: '/etcdserverpb.Lease/LeaseRevoke', request: leaseRequest, response: onlyHeader },
  leaseKeepAlive: { path: '/etcdserverpb.Lease/LeaseKeepAlive', request: leaseRequest, response: leaseResponse },
  authenticate: {
    path: '/etcdserverpb.Auth/Authenticate',
    request: message<AuthenticateRequest>({ name: string(1), password: string(2) }),
    response: message<AuthenticateResponse>({ ...headed, token: string(2) }),
  },
  status: {
    path: '/etcdserverpb.Maintenance/Status',
    request: message<Record<never, never>>({}),
    response: message<StatusResponse>({
      ...headed,
      version: string(2),
      dbSize: int(3),
      leader: uint64(4),
      errors: repeated(string(8)),
      dbSizeInUse: int(9),
    }),
  },
} as const

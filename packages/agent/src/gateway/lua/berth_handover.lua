-- How nginx is told who gets a request, and in which pool it looks for an idle connection to it.
--
-- The module's own call (`set_current_peer`) parses the address and prints it again, for every request; and all idle connections to
-- members lie in one pool, which is searched one by one. So for builds of nginx that were tried the peer's address, made once, is written
-- where that call writes it, and with many members the connection comes from a small pool that goes by its address. That depends on how
-- nginx lays out its memory. It is not believed but looked at: before the first request is handled so, the module's own call is made, and
-- everything that will be written or followed has to be found at its place, with the values that are known. Memory is read through the
-- kernel for it, so that a wrong guess is an error and no crash. Where anything is not as expected, the module's own call and the one pool
-- remain, which do the same and cost more.
local ffi = require 'ffi'
local balancer = require 'ngx.balancer'
local tables = require 'berth_table'
local worker = require 'berth_worker'

ffi.cdef [[
typedef struct berth_queue_s { struct berth_queue_s *prev, *next; } berth_queue_t;

/* ngx_str_t */
typedef struct { size_t length; const char *data; } berth_text_t;

/* What the keepalive module knows of one pool; how long its connections live stands first. */
typedef struct {
  uint64_t size, requests, time_ms, idle_ms;
  berth_queue_t used, free;
  void *init_upstream, *init_peer;
} berth_pool_t;

/* A place of a pool. nginx's is smaller: room for the largest address. */
typedef struct {
  berth_pool_t *pool;
  berth_queue_t queue;
  uint8_t rest[168];
} berth_idle_t;

typedef struct { berth_pool_t *pool; berth_queue_t queue; } berth_idle_start_t;

/* The Lua module's balancer, for one request. */
typedef struct {
  uint64_t round_robin[5];
  void *conf, *request;
  uint64_t more_tries, total_tries;
  const void *address;
  uint32_t address_length;
  const berth_text_t *name;
} berth_choice_t;

/* The keepalive module's wrapping of it. */
typedef struct { berth_pool_t *pool; void *upstream; berth_choice_t *choice; } berth_kept_t;

typedef struct {
  void *read_handler, *write_handler;
  void *connection, *address;
  uint32_t address_length;
  void *name;
  uint64_t tries, start_time;
  void *get, *free, *notify;
  berth_kept_t *data;
} berth_upstream_t;

typedef struct { uint32_t signature; void *other[8]; berth_upstream_t *upstream; } berth_request_t;

/* The address of a peer, as long as the peer is. */
typedef struct { uint8_t address[28]; uint32_t address_length; berth_text_t name; char text[72]; } berth_place_t;

typedef struct { void *base; size_t length; } berth_piece_t;
long process_vm_readv(int pid, const berth_piece_t *own, unsigned long own_count,
  const berth_piece_t *there, unsigned long there_count, unsigned long flags);
int getpid(void);
int inet_pton(int family, const char *text, void *address);
]]

local SIGNATURE = 0x50545448 -- "HTTP"
local LUA_VERSION = 10023
local IPV4, IPV6 = 2, 10
-- As in nginx.conf.
local IDLE_MS, REQUESTS = 4000, 1000000
-- From so many members on; fewer share the one pool, which then is not long.
local MANY = 64
local POOLS, POOL_SIZE = 1024, 32
local PLACES_LOOKED_AT = 8

local C, cast, new, sizeof = ffi.C, ffi.cast, ffi.new, ffi.sizeof
local request_p, intptr_t = ffi.typeof('berth_request_t *'), ffi.typeof('intptr_t')
local set_current_peer = balancer.set_current_peer
local tonumber = tonumber

local handover = {}

-- Nil until the first request has been looked at.
local direct
-- By the address of a pool of nginx's, or of one of its parts: the parts, by number. False: no pool that can be divided.
local parts_of = {}
-- Everything that nginx knows the address of has to stay.
local anchors = {}

local function number_of(pointer)
  return tonumber(cast(intptr_t, pointer))
end

-- A copy of what lies there as `kind`, or nil where nothing can be read.
local function look(kind, address)
  local copy = new(kind)
  local own = new('berth_piece_t', copy, sizeof(kind))
  local there = new('berth_piece_t', cast('void *', address), sizeof(kind))
  if C.process_vm_readv(C.getpid(), own, 1, there, 1, 0) ~= sizeof(kind) then return nil end
  return copy
end
jit.off(look)

local function place_of(peer)
  local place = new('berth_place_t')
  local six = peer.address:sub(1, 1) == '['
  local plain = six and peer.address:sub(2, -2) or peer.address
  if C.inet_pton(six and IPV6 or IPV4, plain, place.address + (six and 8 or 4)) ~= 1 then return nil end
  cast('uint16_t *', place.address)[0] = six and IPV6 or IPV4
  place.address[2], place.address[3] = math.floor(peer.port / 256), peer.port % 256
  place.address_length = six and 28 or 16
  ffi.copy(place.text, peer.endpoint)
  place.name.length, place.name.data = #peer.endpoint, place.text
  peer.place, peer.part = place, ngx.crc32_short(peer.endpoint) % POOLS
  return place
end

-- Whether this is a pool as it should be: its numbers are those of nginx.conf, and its first free places belong to it.
local function is_pool(address)
  local pool = look('berth_pool_t', address)
  if not pool or pool.idle_ms ~= IDLE_MS or pool.requests ~= REQUESTS or pool.size < 1 or pool.size > 100000 then return false end
  local free = number_of(address) + ffi.offsetof('berth_pool_t', 'free')
  local before, at = free, number_of(pool.free.next)
  for _ = 1, PLACES_LOOKED_AT do
    if at == free then return true end
    local idle = look('berth_idle_start_t', cast('char *', at) - ffi.offsetof('berth_idle_t', 'queue'))
    if not idle or number_of(idle.pool) ~= number_of(address) or number_of(idle.queue.prev) ~= before then return false end
    before, at = at, number_of(idle.queue.next)
  end
  return true
end

-- Looks at a request for which the module's own call has just named `peer`. Returns what is not as expected; nil if everything is.
local function difference(r, peer, place)
  if ngx.config.ngx_lua_version ~= LUA_VERSION then return 'version of the Lua module' end
  local request = look('berth_request_t', r)
  if not request or request.signature ~= SIGNATURE then return 'request' end
  local upstream = look('berth_upstream_t', request.upstream)
  if not upstream then return 'upstream' end
  local kept = look('berth_kept_t', upstream.data)
  if not kept or number_of(kept.upstream) ~= number_of(request.upstream) then return 'kept connections' end
  local choice = look('berth_choice_t', kept.choice)
  if not choice or number_of(choice.request) ~= number_of(r) or choice.address_length ~= place.address_length then return 'choice' end
  local address = look('struct { char bytes[28]; }', choice.address)
  if not address or ffi.string(address.bytes, place.address_length) ~= ffi.string(place.address, place.address_length) then return 'address' end
  local name = look('berth_text_t', choice.name)
  if not name or name.length ~= #peer.endpoint then return 'name' end
  local text = look('struct { char bytes[24]; }', name.data)
  if not text or ffi.string(text.bytes, #peer.endpoint) ~= peer.endpoint then return 'name' end
  if not is_pool(kept.pool) then return 'pool' end
  return nil
end

local function decide(r, peer)
  if not worker.settings.direct then
    direct = false
    return
  end
  local place = place_of(peer)
  -- How nginx prints an IPv6 address is its affair.
  if not place or place.address_length ~= 16 then return end
  local what = difference(r, peer, place)
  direct = what == nil
  -- Less than critical is not written of what happens here; see nginx.conf.
  if not direct then ngx.log(ngx.CRIT, 'berth: members are named by the Lua module, since this is not as expected of nginx: ', what) end
end

-- A part of a pool: the same, with fewer places of its own.
local function new_part(parts, number)
  local memory = new('struct { berth_pool_t pool; berth_idle_t idle[?]; }', POOL_SIZE)
  local pool = cast('berth_pool_t *', memory)
  local whole = parts.whole
  pool.size, pool.requests, pool.time_ms, pool.idle_ms = POOL_SIZE, whole.requests, whole.time_ms, whole.idle_ms
  pool.init_upstream, pool.init_peer = whole.init_upstream, whole.init_peer
  pool.used.prev, pool.used.next = pool.used, pool.used
  local last = pool.free
  for index = 0, POOL_SIZE - 1 do
    local idle = memory.idle[index]
    idle.pool = pool
    idle.queue.prev, last.next = last, idle.queue
    last = idle.queue
  end
  last.next, pool.free.prev = pool.free, last
  anchors[#anchors + 1] = memory
  parts[number], parts_of[number_of(pool)] = pool, parts
  return pool
end

local function divide(pool)
  local parts = is_pool(pool) and { whole = pool } or false
  parts_of[number_of(pool)] = parts
  return parts
end

-- For balancer_by_lua: `peer` gets the request `r`, which is under way.
function handover.name(r, peer)
  if not direct then
    set_current_peer(peer.address, peer.port)
    if direct == nil then decide(r, peer) end
    if not direct then return end
  end
  local place = peer.place or place_of(peer)
  if not place then return set_current_peer(peer.address, peer.port) end
  local kept = cast(request_p, r).upstream.data
  local choice = kept.choice
  choice.address, choice.address_length, choice.name = place.address, place.address_length, place.name
  if tables.member_count > MANY then
    local parts = parts_of[number_of(kept.pool)]
    if parts == nil then parts = divide(kept.pool) end
    if parts then kept.pool = parts[peer.part] or new_part(parts, peer.part) end
  end
end

return handover

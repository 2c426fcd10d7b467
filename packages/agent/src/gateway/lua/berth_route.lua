-- A route as a worker has it, made from its line of the table, and its peers.
local find, sub = string.find, string.sub
local insert, concat = table.insert, table.concat

local LATENCY_BUCKETS = 14
local DEFAULT_TIMEOUT_SECONDS, DEFAULT_TRIES = 60, 3
local MAX_STRIKES, REST_SECONDS = 2, 2

-- Every peer that is in the table or still serves: key -> peer. A peer is one instance as one route sees it.
local peers = {}

local function new_peer(key, route, pool, member)
  local buckets = {}
  for index = 1, LATENCY_BUCKETS do buckets[index] = 0 end
  local address = member.address
  if find(address, ':', 1, true) then address = '[' .. address .. ']' end
  return {
    key = key, route_id = route.id, pool = pool, instance = member.instance,
    address = address, port = member.port, endpoint = address .. ':' .. member.port,
    inflight = 0, failures = 0, lost = 0, strikes = 0, rests_until = 0, log_after = 0, unlogged = 0, told = 0,
    classes = { 0, 0, 0, 0, 0 }, buckets = buckets, latency = 0, since = ngx.now(),
    retired_at = nil,
  }
end

local function peer_of(route, pool, member)
  local key = concat({ route.id, pool, member.instance, member.address, member.port }, '\0')
  local peer = peers[key]
  if not peer then
    peer = new_peer(key, route, pool, member)
    peers[key] = peer
  end
  return peer
end

-- Counts requests that met `route` without a member, as those of a peer that nobody can be sent to.
local function nobody(route, now)
  local peer = peer_of(route, route.pool, { instance = '', address = '', port = 0 })
  peer.retired_at = now
  return peer
end

-- By which cookie which member is meant, for a route whose clients stay with theirs.
local function name_members(route)
  route.by_cookie, route.cookie_of = {}, {}
  for _, way in ipairs({ route, route.far }) do
    for _, peer in ipairs(way.schedule) do
      local value = sub(ngx.md5(route.id .. '\0' .. peer.instance), 1, 16)
      route.by_cookie[value], route.cookie_of[peer] = peer, value
    end
  end
end

local function read_options(route, spec)
  local options = spec.options or {}
  local read = spec.timeoutMs / 1000
  route.timed = read ~= DEFAULT_TIMEOUT_SECONDS or options.connectTimeoutMs ~= nil or options.sendTimeoutMs ~= nil
  route.read, route.send = read, options.sendTimeoutMs and options.sendTimeoutMs / 1000 or read
  route.connect = options.connectTimeoutMs and options.connectTimeoutMs / 1000 or nil
  route.tries = (options.retries or DEFAULT_TRIES - 1) + 1
  local ejection = options.ejection
  route.max_strikes = ejection and ejection.failures or MAX_STRIKES
  route.rest = ejection and ejection.restMs / 1000 or REST_SECONDS
  route.limit = options.limit
  route.slow_start = (options.slowStartMs or 0) > 0 and options.slowStartMs / 1000 or nil
  route.maintenance = spec.maintenance and spec.maintenance.page
  route.empty_page = spec.emptyPage
  route.answer = spec.answer
  route.grpc = options.protocol == 'grpc'
  -- The location that sends requests again for these answers; see nginx-conf.ts.
  route.again = options.retryOn and '@berth_again_' .. concat(options.retryOn, '_') or nil
  if options.stickyCookie then
    route.cookie, route.cookie_variable = options.stickyCookie, 'cookie_' .. options.stickyCookie
    route.cookie_path = spec.path:find('[^%w/._~-]') and '/' or spec.path
  end
end

-- Another way of a route: members of other sites, or those that take what may change something. Its peers are the route's.
local function new_way(route, spec)
  if not spec then return nil end
  local members = {}
  local way = { schedule = {}, turn = 0, slow_start = route.slow_start, share = spec.share or 0, credit = 0, inflight = spec.inflight }
  for _, target in ipairs(spec.targets) do
    for _, member in ipairs(target.members) do
      local peer = peer_of(route, target.pool, member)
      insert(members, peer)
      insert(route.members, peer)
    end
  end
  for turn, place in ipairs(spec.schedule) do way.schedule[turn] = assert(members[place + 1], 'schedule') end
  way.turns = #way.schedule
  return way
end

-- Nobody is asked twice for the same answer.
local function tries_for_answers(route)
  local asked, count = {}, 0
  for _, way in ipairs({ route, route.far }) do
    for _, peer in ipairs(way.schedule) do
      if not asked[peer] then asked[peer], count = true, count + 1 end
    end
  end
  return math.max(1, math.min(route.tries, count))
end

local function new_route(spec)
  local members = {}
  local strip = spec.stripPath == true and spec.path ~= '/'
  local max_body = spec.maxBodyBytes
  local route = {
    id = spec.id, host = spec.host, path = spec.path, tls = spec.tls, strip = strip,
    max_body = max_body ~= 0 and max_body or nil,
    members = members, schedule = {}, pool = spec.targets[1] and spec.targets[1].pool or '',
  }
  for _, target in ipairs(spec.targets) do
    for _, member in ipairs(target.members) do
      insert(members, peer_of(route, target.pool, member))
    end
  end
  for turn, place in ipairs(spec.schedule) do route.schedule[turn] = assert(members[place + 1], 'schedule') end
  route.turns = #route.schedule
  route.turn = 0
  read_options(route, spec)
  route.writes = new_way(route, spec.writes)
  local far = new_way(route, spec.far)
  if far and far.turns > 0 then route.far = far end
  if route.cookie then name_members(route) end
  if route.again then route.again_tries = tries_for_answers(route) end
  -- What few routes need is looked at where a request leaves the usual path anyway.
  route.special = route.limit ~= nil or route.cookie ~= nil or route.slow_start ~= nil or route.tries > DEFAULT_TRIES
    or route.again ~= nil or route.writes ~= nil or route.far ~= nil and (far.share > 0 or far.inflight ~= nil)
  -- Whether a request over HTTP, over HTTPS goes straight to a member; anything else is worked out by `berth_proxy.unusual`.
  local straight = route.turns > 0 and not strip and not route.special and not route.maintenance and not route.grpc
  route.plain = straight and spec.tls ~= 'redirect'
  route.secure = straight and spec.tls ~= 'off'
  return route
end

return { new = new_route, nobody = nobody, peers = peers, DEFAULT_TRIES = DEFAULT_TRIES }

-- The way of a request: which member gets it, what is counted, what happens when a member fails. `plain`, `secure` and `done` run for
-- every request and decide what the gateway costs; they stay short, make no garbage and are compiled by LuaJIT.
local ffi = require 'ffi'
local base = require 'resty.core.base'
local balancer = require 'ngx.balancer'
local limits = require 'berth_limits'
local tables = require 'berth_table'
local worker = require 'berth_worker'

local DEFAULT_TRIES = tables.DEFAULT_TRIES
local MAX_IDLE_ENTRIES = 8192
local LOG_SECONDS = 1
-- Of one answer: a few milliseconds.
local MAX_CHANGES = 200
-- nginx's numbers of these methods.
local GET, HEAD, OPTIONS = 2, 4, 512
local SHARES = 1000
local BUSY = -3

-- A new member of a route with a slow start gets so much of its turns at least.
local LEAST_SHARE = 0.05

local ngx, tonumber, floor, max = ngx, tonumber, math.floor, math.max
local cast, intptr_t = ffi.cast, ffi.typeof('intptr_t')
local get_request = base.get_request
local set_current_peer, set_timeouts, set_more_tries = balancer.set_current_peer, balancer.set_timeouts, balancer.set_more_tries
local shared = worker.shared

ffi.cdef [[ int ngx_http_lua_ffi_req_get_method(ngx_http_request_t *r); ]]
local get_method = ffi.C.ngx_http_lua_ffi_req_get_method

local proxy = {}

-- By the address of nginx's request: the peer that serves it (false: none, and the address was used before), the peers that failed it
-- (only while it is being retried), why it was turned aside, the route that it takes on its detour and the peer, its place among those
-- of which only so many may come at a time.
local serving, tried, pending, chosen, picked, held = {}, {}, {}, {}, {}, {}
-- How many entries `tried` and `held` have together: mostly none, which the hot path sees at once.
local noted = 0
-- Whether the access log wants to know who served a request.
local naming = false

local function key_of(r)
  return tonumber(cast(intptr_t, r))
end

-- Whether it may change something, and its route has a place for that.
local function goes_home(r, route)
  if not route.writes then return false end
  local method = get_method(r)
  return method ~= GET and method ~= HEAD and method ~= OPTIONS
end

-- Below, since it goes by what comes before it.
local choose

local function find_route()
  if shared.generation ~= worker.generation then worker.refresh() end
  local state = worker.state
  local host = ngx.var.host
  local site = state.sites[host] or tables.site(state, host)
  return site.root or tables.find(site, ngx.var.uri)
end

-- The next peer of the schedule that neither rests nor has failed this request; if there is none, the next one that has not failed
-- it; at last simply the next one: trying is better than refusing. Of another site only where nobody near is well.
local function spare_peer(route, failed)
  local now, spare = ngx.now(), nil
  for _ = 1, route.turns do
    local turn = route.turn + 1
    if turn > route.turns then turn = 1 end
    route.turn = turn
    local peer = route.schedule[turn]
    if not (failed and failed[peer]) then
      if peer.rests_until <= now then
        -- Back from its rest it is on probation: one more failure and it rests again.
        peer.rests_until = 0
        return peer
      end
      spare = spare or peer
    end
  end
  if route.far then
    local peer = spare_peer(route.far, failed)
    if not (failed and failed[peer]) and peer.rests_until <= now then return peer end
  end
  return spare or route.schedule[route.turn]
end

local function next_peer(route)
  local turn = route.turn + 1
  if turn > route.turns then turn = 1 end
  local peer = route.schedule[turn]
  if peer.rests_until ~= 0 then return spare_peer(route, nil) end
  route.turn = turn
  return peer
end

-- nginx's own error lines of the usual path are turned off: under a dead member they would be one for every request.
local function log_failure(peer)
  peer.unlogged = peer.unlogged + 1
  local now = ngx.now()
  if now < peer.log_after then return end
  ngx.log(ngx.CRIT, 'berth: no answer from ', peer.instance, ' of ', peer.pool, ' at ', peer.endpoint, ' (', peer.unlogged, ' times)')
  peer.log_after, peer.unlogged = now + LOG_SECONDS, 0
end

local function note_failure(peer)
  peer.failures = peer.failures + 1
  log_failure(peer)
  peer.strikes = peer.strikes + 1
  local most = peer.route.max_strikes
  if most > 0 and peer.strikes >= most then
    peer.rests_until = ngx.now() + peer.route.rest
    peer.strikes = most - 1
  end
end

local function hand_over(key, route, peer)
  serving[key] = peer
  peer.inflight = peer.inflight + 1
  if route.timed then set_timeouts(route.connect, route.send, route.read) end
  set_current_peer(peer.address, peer.port)
  if naming then
    ngx.var.berth_route, ngx.var.berth_instance = route.id, peer.instance
  end
end

-- Sends the request to the location that answers or forwards the unusual. "Busy" comes out as a 502, which nginx.conf maps to that
-- location; unlike a 500 it leaves the client's connection open.
local function turn_aside(key, what, route)
  pending[key] = { what = what, route = route }
  return ngx.exit(BUSY)
end

local function failed_peers(key)
  local failed = tried[key]
  if not failed then
    failed = { count = 0 }
    tried[key] = failed
    noted = noted + 1
  end
  return failed
end

-- The route has no more tries for this request.
local function give_up(key, peer)
  peer.lost = peer.lost + 1
  peer.classes[5] = peer.classes[5] + 1
  local _, status = balancer.get_last_failure()
  return turn_aside(key, status == 504 and 504 or 502, peer.route)
end

-- The peer before has failed this request and nginx asks for another.
local function retry(key, peer)
  serving[key] = false
  peer.inflight = peer.inflight - 1
  note_failure(peer)
  local failed = failed_peers(key)
  failed[peer] = true
  failed.count = failed.count + 1
  if shared.generation ~= worker.generation then worker.refresh() end
  local route = peer.route
  if failed.count >= route.tries then return give_up(key, peer) end
  if peer.retired_at then route = find_route() end
  if not route or route.turns == 0 then return turn_aside(key, route and 'empty' or 'unknown', route) end
  local way = goes_home(get_request(), route) and route.writes or route
  if way.turns == 0 then return turn_aside(key, 'empty', route) end
  return hand_over(key, route, spare_peer(way, failed))
end

-- The body has been read by now, so its length is known even where none was announced. What GET and HEAD may carry means nothing in
-- HTTP; looking for it would cost each of them more than anything else here.
local function too_large(r, route)
  local method = get_method(r)
  if method == GET or method == HEAD then return false end
  return (tonumber(ngx.var.content_length) or 0) > route.max_body
end

-- A table that came into force since the look-up may have taken this peer away, and whoever saw it unused may stop it now.
local function hand_over_anew(r, key)
  serving[key].inflight = serving[key].inflight - 1
  serving[key] = false
  worker.refresh()
  local current = find_route()
  local peer = current and current.turns > 0 and choose(r, current)
  if not peer then return turn_aside(key, current and 'empty' or 'unknown', current) end
  return hand_over(key, current, peer)
end

local function forward(r, key, route)
  if route.max_body and too_large(r, route) then return turn_aside(key, 'too-large', route) end
  hand_over(key, route, next_peer(route))
  if shared.generation ~= worker.generation then return hand_over_anew(r, key) end
end

-- A new member of a route with a slow start takes only a part of its turns, which grows.
local function pick(route)
  local peer = next_peer(route)
  if not route.slow_start then return peer end
  for _ = 1, route.turns do
    local share = peer.ramp_from and (ngx.now() - peer.ramp_from) / route.slow_start or 1
    if share >= 1 then
      peer.ramp_from = nil
      return peer
    end
    peer.ramp = peer.ramp + max(share, LEAST_SHARE)
    if peer.ramp >= 1 then
      peer.ramp = peer.ramp - 1
      return peer
    end
    peer = next_peer(route)
  end
  return peer
end

-- Who takes this request: of the route's members, of those elsewhere, or of those that take what may change something. Nil: nobody is there.
function choose(r, route)
  if goes_home(r, route) then return route.writes.turns > 0 and pick(route.writes) or nil end
  local far = route.far
  if not far then return pick(route) end
  far.credit = far.credit + far.share
  if far.credit >= SHARES then
    far.credit = far.credit - SHARES
    return pick(far)
  end
  local peer = pick(route)
  if far.inflight and peer.inflight >= far.inflight then
    local other = pick(far)
    if other.inflight < peer.inflight then return other end
  end
  return peer
end

-- The member whose cookie the client has; another one while that one rests. Nil without such a cookie.
local function stuck_to(route)
  local value = ngx.var[route.cookie_variable]
  local peer = value and route.by_cookie[value]
  if peer and peer.rests_until > ngx.now() then return pick(route) end
  return peer
end

local function forward_to(r, key, route, peer)
  if not peer then return turn_aside(key, 'empty', route) end
  hand_over(key, route, peer)
  if route.tries > DEFAULT_TRIES then set_more_tries(route.tries - DEFAULT_TRIES) end
  if shared.generation ~= worker.generation then return hand_over_anew(r, key) end
end

-- Requests of routes that say more than where they lead. What was turned aside here comes back by `proxy.chosen`.
local function forward_specially(r, key, route)
  if route.answer then return turn_aside(key, 'answer', route) end
  if route.maintenance then return turn_aside(key, 'maintenance', route) end
  if not route.special or route.turns == 0 then return turn_aside(key, 'detour', route) end
  if route.max_body and too_large(r, route) then return turn_aside(key, 'too-large', route) end
  if route.limit then
    local place, refused = limits.admit(route)
    if refused then return turn_aside(key, 'limited', route) end
    if place then
      held[key] = place
      noted = noted + 1
    end
  end
  local peer = route.cookie and not goes_home(r, route) and stuck_to(route)
  if route.strip or route.cookie and not peer then return turn_aside(key, 'detour', route) end
  return forward_to(r, key, route, peer or choose(r, route))
end

-- balancer_by_lua of what came over HTTP.
function proxy.plain()
  local r = get_request()
  local key = key_of(r)
  local peer = serving[key]
  if peer then return retry(key, peer) end
  local route = find_route()
  if not route then return turn_aside(key, 'unknown') end
  if not route.plain then
    if route.tls == 'redirect' then return turn_aside(key, 'redirect', route) end
    return forward_specially(r, key, route)
  end
  return forward(r, key, route)
end

-- balancer_by_lua of what came over HTTPS.
function proxy.secure()
  local r = get_request()
  local key = key_of(r)
  local peer = serving[key]
  if peer then return retry(key, peer) end
  local route = find_route()
  if not route then return turn_aside(key, 'unknown') end
  if not route.secure then
    if route.tls == 'off' then return turn_aside(key, 'unknown', route) end
    return forward_specially(r, key, route)
  end
  return forward(r, key, route)
end

-- balancer_by_lua of what `proxy.detour` sent on.
function proxy.chosen()
  local r = get_request()
  local key = key_of(r)
  local peer = serving[key]
  if peer then return retry(key, peer) end
  local route, other = chosen[key], picked[key]
  chosen[key], picked[key] = nil, nil
  if not route then return ngx.exit(ngx.ERROR) end
  if not route.special then return forward(r, key, route) end
  return forward_to(r, key, route, other or choose(r, route))
end

-- What is left of the request's own path, encoded as the client wrote it, when `path` is taken off its front.
local function stripped(path)
  local raw = ngx.var.request_uri
  local next_char = raw:sub(#path + 1, #path + 1)
  if raw:sub(1, #path) ~= path or not (next_char == '' or next_char == '/' or next_char == '?') then
    -- The client has encoded what it need not, or has walked through `..`: go by the decoded path.
    local rest = ngx.var.uri:sub(#path + 1):gsub('[^%w/._~!$&\'()*+,;=:@-]', function(char)
      return ('%%%02X'):format(char:byte())
    end)
    raw = path .. rest .. (ngx.var.is_args or '') .. (ngx.var.args or '')
  end
  local rest = raw:sub(#path + 1)
  return rest:byte() == 47 and rest or '/' .. rest
end

-- What no member was asked for is counted for the route.
local function answered_by_none(what, route, class, lost)
  local nobody = tables.nobody(route, ngx.now())
  nobody.lost = nobody.lost + lost
  nobody.classes[class] = nobody.classes[class] + 1
  return what, route
end

-- The client is to stay with the member that it gets now.
local function stick(key, route)
  if goes_home(get_request(), route) then return end
  local peer = route.cookie and stuck_to(route)
  if peer then
    picked[key] = peer
  elseif route.cookie then
    peer = choose(get_request(), route)
    picked[key] = peer
    ngx.header['Set-Cookie'] = ('%s=%s; Path=%s; HttpOnly; SameSite=Lax%s'):format(
      route.cookie, route.cookie_of[peer], route.cookie_path, ngx.var.scheme == 'https' and '; Secure' or '')
  end
end

-- What the usual path could not do for this request: a word, and the route if there is one. For `forward` the request may go on.
function proxy.take_pending()
  local key = key_of(get_request())
  local entry = pending[key]
  pending[key] = nil
  if not entry then return nil end
  local what, route = entry.what, entry.route
  if what == 'empty' or what == 'detour' and route.turns == 0 then return answered_by_none('empty', route, 5, 1) end
  if what == 'limited' then return answered_by_none(what, route, 4, 0) end
  if what == 'maintenance' then return answered_by_none(what, route, 5, 0) end
  if what ~= 'detour' then return what, route end
  chosen[key] = route
  stick(key, route)
  return 'forward', route
end

-- What a request that was turned aside on its detour is answered with; nil for others.
function proxy.why_unanswered()
  local key = key_of(get_request())
  local entry = pending[key]
  pending[key] = nil
  if not entry then return nil end
  if entry.what == 'empty' then answered_by_none('empty', entry.route, 5, 1) end
  return entry.what
end

function proxy.path_for(route)
  return route.strip and stripped(route.path) or ngx.var.request_uri
end

local function nobody_answered()
  local times = ngx.var.upstream_header_time
  return times ~= nil and times:sub(-1) == '-'
end

local function settle(peer, status)
  if status >= 502 and status <= 504 and nobody_answered() then
    peer.lost = peer.lost + 1
    note_failure(peer)
  else
    peer.strikes = 0
  end
end

local function bucket_of(milliseconds)
  if milliseconds <= 1 then return 1 end
  if milliseconds <= 2 then return 2 end
  if milliseconds <= 5 then return 3 end
  if milliseconds <= 10 then return 4 end
  if milliseconds <= 25 then return 5 end
  if milliseconds <= 50 then return 6 end
  if milliseconds <= 100 then return 7 end
  if milliseconds <= 250 then return 8 end
  if milliseconds <= 500 then return 9 end
  if milliseconds <= 1000 then return 10 end
  if milliseconds <= 2500 then return 11 end
  if milliseconds <= 5000 then return 12 end
  if milliseconds <= 10000 then return 13 end
  return 14
end

local function forget_notes(key)
  if tried[key] then
    tried[key] = nil
    noted = noted - 1
  end
  local place = held[key]
  if place then
    held[key] = nil
    noted = noted - 1
    limits.leave(place)
  end
end

-- log_by_lua: every request ends here, however it ended.
function proxy.done()
  local key = key_of(get_request())
  if noted ~= 0 then forget_notes(key) end
  local peer = serving[key]
  if not peer then return end
  serving[key] = false
  peer.inflight = peer.inflight - 1
  local status = ngx.status
  if peer.strikes ~= 0 or status >= 502 then settle(peer, status) end
  local class = floor(status / 100)
  if class < 1 or class > 5 then class = 5 end
  peer.classes[class] = peer.classes[class] + 1
  -- How long a websocket stayed open says nothing of how fast it was answered.
  if class == 1 then return end
  local milliseconds = floor((ngx.now() - ngx.req.start_time()) * 1000 + 0.5)
  local bucket = bucket_of(milliseconds)
  peer.buckets[bucket] = peer.buckets[bucket] + 1
  peer.latency = peer.latency + milliseconds
end

function proxy.name_requests()
  naming = true
end

-- `serving` remembers the addresses of past requests, which nginx uses over and over; after a storm there can be too many of them.
worker.on_housekeeping(function()
  local live, idle = {}, 0
  for key, peer in pairs(serving) do
    if peer then live[key] = peer else idle = idle + 1 end
  end
  if idle > MAX_IDLE_ENTRIES then serving = live end
end)

worker.on_question('inflight', function()
  local inflight = {}
  for _, peer in pairs(tables.peers) do
    if peer.instance ~= '' then inflight[peer.endpoint] = (inflight[peer.endpoint] or 0) + peer.inflight end
  end
  return { version = worker.state.version, inflight = inflight }
end)

local function counters_of(peer)
  return {
    route = peer.route_id, pool = peer.pool, instance = peer.instance, endpoint = peer.endpoint, inflight = peer.inflight,
    failures = peer.failures, lost = peer.lost, classes = peer.classes, buckets = peer.buckets, latency = peer.latency,
    since = peer.since,
  }
end

worker.on_question('counters', function()
  local rows = {}
  for _, peer in pairs(tables.peers) do rows[#rows + 1] = counters_of(peer) end
  return { version = worker.state.version, pid = ngx.worker.pid(), rows = rows }
end)

-- Those that have changed since they were told last, from where the last answer ended: not so many that requests would wait for it.
local told_up_to
local function changes()
  local rows, key = {}, told_up_to
  if key ~= nil and tables.peers[key] == nil then key = nil end
  local peer
  key, peer = next(tables.peers, key)
  while key ~= nil do
    local classes = peer.classes
    local count = classes[1] + classes[2] + classes[3] + classes[4] + classes[5] + peer.failures
    if count ~= peer.told then
      peer.told = count
      rows[#rows + 1] = counters_of(peer)
      if #rows >= MAX_CHANGES then break end
    end
    key, peer = next(tables.peers, key)
  end
  told_up_to = key
  return { version = worker.state.version, pid = ngx.worker.pid(), rows = rows, more = key ~= nil }
end

worker.on_question('changes', changes)

-- For who has not got an answer, or never asked: whatever was counted has changed.
worker.on_question('changes-anew', function()
  for _, peer in pairs(tables.peers) do peer.told = 0 end
  told_up_to = nil
  return changes()
end)

return proxy

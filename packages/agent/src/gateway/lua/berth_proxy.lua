-- The way of a request: which member gets it, what is counted, what happens when a member fails. `plain`, `secure` and `done` run for
-- every request and decide what the gateway costs; they stay short, make no garbage and are compiled by LuaJIT.
local ffi = require 'ffi'
local balancer = require 'ngx.balancer'
local detour = require 'berth_detour'
local grpc = require 'berth_grpc'
local handover = require 'berth_handover'
local limits = require 'berth_limits'
local request = require 'berth_request'
local tables = require 'berth_table'
local turns = require 'berth_turns'
local worker = require 'berth_worker'

local DEFAULT_TRIES = tables.DEFAULT_TRIES
local MAX_IDLE_ENTRIES = 8192
local LOG_SECONDS = 1
local BUSY = -3

local ngx, tonumber, floor = ngx, tonumber, math.floor
local cast, intptr_t = ffi.cast, ffi.typeof('intptr_t')
local get_request, host_of, method_of, status_of = request.current, request.host, request.method, request.status
local time_now, start_time_of = request.now, request.start_time
local set_timeouts, set_more_tries, name_peer = balancer.set_timeouts, balancer.set_more_tries, handover.name
local shared = worker.shared
local next_peer, spare_peer, choose, goes_home = turns.next_peer, turns.spare_peer, turns.choose, turns.goes_home
local GET, HEAD = turns.GET, turns.HEAD
local too_large = detour.too_large

local proxy = {}

-- By the address of nginx's request: the peer that serves it (false: none, and the address was used before), the peers that failed it
-- (only while it is being retried), its place among those of which only so many may come at a time.
local serving, tried, held = {}, {}, {}
-- How many entries `tried` and `held` have together: mostly none, which the hot path sees at once.
local noted = 0
-- Whether the access log wants to know who served a request.
local naming = false

local function key_of(r)
  return tonumber(cast(intptr_t, r))
end

local function find_route()
  if shared.generation ~= worker.generation then worker.refresh() end
  local state = worker.state
  local host = host_of(get_request())
  local site = state.sites[host] or tables.site(state, host)
  return site.root or tables.find(site, ngx.var.uri)
end

-- nginx's own error lines of the usual path are turned off: under a dead member they would be one for every request.
local function log_failure(peer, status)
  peer.unlogged = peer.unlogged + 1
  local now = ngx.now()
  if now < peer.log_after then return end
  local what = peer.route.again and 'failure (' .. status .. ') of ' or 'no answer from '
  ngx.log(ngx.CRIT, 'berth: ', what, peer.instance, ' of ', peer.pool, ' at ', peer.endpoint, ' (', peer.unlogged, ' times)')
  peer.log_after, peer.unlogged = now + LOG_SECONDS, 0
end

local function note_failure(peer, status)
  peer.failures = peer.failures + 1
  log_failure(peer, status)
  peer.strikes = peer.strikes + 1
  local most = peer.route.max_strikes
  if most > 0 and peer.strikes >= most then
    peer.rests_until = ngx.now() + peer.route.rest
    peer.strikes = most - 1
  end
end

local function hand_over(r, key, route, peer)
  serving[key] = peer
  peer.inflight = peer.inflight + 1
  if route.timed then set_timeouts(route.connect, route.send, route.read) end
  if naming then
    ngx.var.berth_route, ngx.var.berth_instance = route.id, peer.instance
  end
  return name_peer(r, peer)
end

-- Sends the request to the location that answers or forwards the unusual. "Busy" comes out as a 502, which nginx.conf maps to that
-- location; unlike a 500 it leaves the client's connection open.
local function turn_aside(key, what, route)
  detour.note(key, what, route)
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

local function last_status()
  local _, status = balancer.get_last_failure()
  return status
end

-- The route has no more tries for this request.
local function give_up(key, peer)
  peer.lost = peer.lost + 1
  peer.classes[5] = peer.classes[5] + 1
  local status = last_status()
  return turn_aside(key, status == 504 and 504 or 502, peer.route)
end

-- The peer before has failed this request and nginx asks for another.
local function retry(key, peer)
  serving[key] = false
  peer.inflight = peer.inflight - 1
  note_failure(peer, last_status())
  local failed = failed_peers(key)
  failed[peer] = true
  failed.count = failed.count + 1
  if shared.generation ~= worker.generation then worker.refresh() end
  local route = peer.route
  if failed.count >= route.tries then return give_up(key, peer) end
  if peer.retired_at then route = find_route() end
  if not route or route.turns == 0 then return turn_aside(key, route and 'empty' or 'unknown', route) end
  local r = get_request()
  local way = goes_home(r, route) and route.writes or route
  if way.turns == 0 then return turn_aside(key, 'empty', route) end
  return hand_over(r, key, route, spare_peer(way, failed))
end

-- A table that came into force since the look-up may have taken this peer away, and whoever saw it unused may stop it now.
local function hand_over_anew(r, key)
  serving[key].inflight = serving[key].inflight - 1
  serving[key] = false
  worker.refresh()
  local current = find_route()
  local peer = current and current.turns > 0 and choose(r, current)
  if not peer then return turn_aside(key, current and 'empty' or 'unknown', current) end
  return hand_over(r, key, current, peer)
end

local function forward(r, key, route)
  if route.max_body and too_large(r, route) then return turn_aside(key, 'too-large', route) end
  hand_over(r, key, route, next_peer(route))
  if shared.generation ~= worker.generation then return hand_over_anew(r, key) end
end

local function forward_to(r, key, route, peer)
  if not peer then return turn_aside(key, 'empty', route) end
  hand_over(r, key, route, peer)
  local tries, given = route.tries, DEFAULT_TRIES
  -- Its upstream has one try, so that the last answer is the client's whatever it is.
  if route.again then tries, given = route.again_tries, 1 end
  if tries > given then set_more_tries(tries - given) end
  if shared.generation ~= worker.generation then return hand_over_anew(r, key) end
end

-- What `detour.decide` has said.
local function take(r, key, route, peer, why, place)
  if place then
    held[key] = place
    noted = noted + 1
  end
  if not peer then return turn_aside(key, why, route) end
  return forward_to(r, key, route, peer)
end

-- Requests of routes that say more than where they lead. What is turned aside here comes back by `proxy.chosen`.
local function forward_specially(r, key, route)
  local peer, why, place = detour.decide(r, route)
  return take(r, key, route, peer, why, place)
end

-- What the straight way is not for.
local function turn_off(r, key, route, straight)
  if not route then return turn_aside(key, 'unknown') end
  if straight == 'plain' and route.tls == 'redirect' then return turn_aside(key, 'redirect', route) end
  if straight == 'secure' and route.tls == 'off' then return turn_aside(key, 'unknown', route) end
  return forward_specially(r, key, route)
end

-- The straight way of a request, written out in one piece: LuaJIT compiles what is called from elsewhere too by itself, and each call of
-- such a function would leave compiled code. `straight` names what a route says of those that may go it.
local function balance(straight)
  return function()
    local r = get_request()
    local key = tonumber(cast(intptr_t, r))
    local peer = serving[key]
    if peer then return retry(key, peer) end
    if shared.generation ~= worker.generation then worker.refresh() end
    local site = worker.state.sites[host_of(r)]
    local route = site and site.root or find_route()
    if not route or not route[straight] then return turn_off(r, key, route, straight) end
    if route.max_body then
      local method = method_of(r)
      if method ~= GET and method ~= HEAD and too_large(r, route) then return turn_aside(key, 'too-large', route) end
    end
    local turn = route.turn + 1
    if turn > route.turns then turn = 1 end
    peer = route.schedule[turn]
    if peer.rests_until ~= 0 then
      peer = spare_peer(route, nil)
    else
      route.turn = turn
    end
    serving[key] = peer
    peer.inflight = peer.inflight + 1
    if shared.generation ~= worker.generation then return hand_over_anew(r, key) end
    if route.timed then set_timeouts(route.connect, route.send, route.read) end
    if naming then
      ngx.var.berth_route, ngx.var.berth_instance = route.id, peer.instance
    end
    return name_peer(r, peer)
  end
end

-- balancer_by_lua of what came over HTTP, over HTTPS.
proxy.plain, proxy.secure = balance('plain'), balance('secure')

-- balancer_by_lua of what `detour.take_pending` let go on.
function proxy.chosen()
  local r = get_request()
  local key = key_of(r)
  local peer = serving[key]
  if peer then return retry(key, peer) end
  local route, other = detour.take_chosen(key)
  if not route then return ngx.exit(ngx.ERROR) end
  if not route.special then return forward(r, key, route) end
  return forward_to(r, key, route, other or choose(r, route))
end

-- balancer_by_lua of gRPC.
function proxy.grpc()
  local r = get_request()
  local key = key_of(r)
  local peer = serving[key]
  if peer then return retry(key, peer) end
  local route = find_route()
  if not route or route.tls == 'off' then return turn_aside(key, 'unknown') end
  local place, why
  peer, why, place = detour.decide_grpc(r, route)
  return take(r, key, route, peer, why, place)
end

local function nobody_answered()
  local times = ngx.var.upstream_header_time
  return times ~= nil and times:sub(-1) == '-'
end

local function settle(peer, status)
  if status >= 502 and status <= 504 and nobody_answered() then
    peer.lost = peer.lost + 1
    note_failure(peer, status)
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

-- Of most answers, by their milliseconds.
local MOST_QUICK = 1000
local bucket_by = {}
for milliseconds = 0, MOST_QUICK do bucket_by[milliseconds] = bucket_of(milliseconds) end

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
  local r = get_request()
  local key = tonumber(cast(intptr_t, r))
  if noted ~= 0 then forget_notes(key) end
  local peer = serving[key]
  if not peer then return end
  serving[key] = false
  peer.inflight = peer.inflight - 1
  local status = status_of(r)
  if peer.strikes ~= 0 or status >= 502 then settle(peer, status) end
  local class = floor(status / 100)
  if class < 1 or class > 5 then class = 5 end
  peer.classes[class] = peer.classes[class] + 1
  -- How long a websocket stayed open says nothing of how fast it was answered.
  if class == 1 then return end
  local milliseconds = floor((time_now() - start_time_of(r)) * 1000 + 0.5)
  local bucket = bucket_by[milliseconds] or bucket_of(milliseconds)
  peer.buckets[bucket] = peer.buckets[bucket] + 1
  peer.latency = peer.latency + milliseconds
end

-- log_by_lua of gRPC, whose answers are 200 whatever they say. How fast one was is when it began: streams may last for hours.
function proxy.grpc_done()
  local key = key_of(get_request())
  if noted ~= 0 then forget_notes(key) end
  local peer = serving[key]
  if not peer then return end
  serving[key] = false
  peer.inflight = peer.inflight - 1
  local class, is_answered = grpc.class()
  peer.classes[class] = peer.classes[class] + 1
  if not is_answered then
    -- Whoever gave up before has said nothing of the member.
    if ngx.status ~= 499 then
      peer.lost = peer.lost + 1
      note_failure(peer, 502)
    end
    return
  end
  peer.strikes = 0
  local milliseconds = grpc.milliseconds()
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

return proxy

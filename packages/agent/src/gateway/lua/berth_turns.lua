-- Who of a route's members takes a request. `next_peer` runs for every request: it is short and makes no garbage.
local request = require 'berth_request'

-- nginx's numbers of these methods.
local GET, HEAD, OPTIONS = 2, 4, 512
local SHARES = 1000
-- A new member of a route with a slow start gets so much of its turns at least.
local LEAST_SHARE = 0.05

local ngx, max = ngx, math.max

local get_method = request.method

local turns = { GET = GET, HEAD = HEAD }

-- What GET and HEAD may carry as a body means nothing in HTTP.
function turns.is_bodiless(r)
  local method = get_method(r)
  return method == GET or method == HEAD
end

-- Whether it may change something, and its route has a place for that.
local function goes_home(r, route)
  if not route.writes then return false end
  local method = get_method(r)
  return method ~= GET and method ~= HEAD and method ~= OPTIONS
end
turns.goes_home = goes_home

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
turns.spare_peer = spare_peer

local function next_peer(route)
  local turn = route.turn + 1
  if turn > route.turns then turn = 1 end
  local peer = route.schedule[turn]
  if peer.rests_until ~= 0 then return spare_peer(route, nil) end
  route.turn = turn
  return peer
end
turns.next_peer = next_peer

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

-- Of the route's members, of those elsewhere, or of those that take what may change something. Nil: nobody is there.
function turns.choose(r, route)
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
function turns.stuck_to(route)
  local value = ngx.var[route.cookie_variable]
  local peer = value and route.by_cookie[value]
  if peer and peer.rests_until > ngx.now() then return pick(route) end
  return peer
end

return turns

-- What the usual path turns aside: why, and what becomes of it at the location that answers or forwards the unusual.
local base = require 'resty.core.base'
local ffi = require 'ffi'
local limits = require 'berth_limits'
local tables = require 'berth_table'
local turns = require 'berth_turns'

local ngx, tonumber = ngx, tonumber
local cast, intptr_t = ffi.cast, ffi.typeof('intptr_t')
local get_request = base.get_request

local detour = {}

-- By the address of nginx's request: why it was turned aside, the route that it takes on its detour, and the peer.
local pending, chosen, picked = {}, {}, {}

local function key_of(r)
  return tonumber(cast(intptr_t, r))
end

function detour.note(key, what, route)
  pending[key] = { what = what, route = route }
end

-- For requests of routes that say more than where they lead: the peer that takes it, or nil and why none does at once (a "detour" comes
-- back). At last its place among those of which only so many may come at a time.
function detour.decide(r, route)
  if route.answer then return nil, 'answer' end
  if route.maintenance then return nil, 'maintenance' end
  if route.grpc then return nil, 'grpc-only' end
  if not route.special or route.turns == 0 then return nil, 'detour' end
  if route.max_body and detour.too_large(r, route) then return nil, 'too-large' end
  local place, refused
  if route.limit then
    place, refused = limits.admit(route)
    if refused then return nil, 'limited' end
  end
  local peer = route.cookie and not turns.goes_home(r, route) and turns.stuck_to(route)
  if route.strip or route.again or route.cookie and not peer then return nil, 'detour', place end
  peer = peer or turns.choose(r, route)
  return peer, 'empty', place
end

-- The same for gRPC, whose requests take no detour.
function detour.decide_grpc(r, route)
  if not route.grpc then return nil, 'no-grpc' end
  if route.maintenance then return nil, 'maintenance' end
  if route.turns == 0 then return nil, 'empty' end
  if not route.limit then return turns.choose(r, route), 'empty' end
  local place, refused = limits.admit(route)
  if refused then return nil, 'limited' end
  return turns.choose(r, route), 'empty', place
end

-- The body has been read by now, so its length is known even where none was announced. Looking for it would cost each request that has
-- none more than anything else here.
function detour.too_large(r, route)
  if turns.is_bodiless(r) then return false end
  return (tonumber(ngx.var.content_length) or 0) > route.max_body
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
  if turns.goes_home(get_request(), route) then return end
  local peer = route.cookie and turns.stuck_to(route)
  if peer then
    picked[key] = peer
  elseif route.cookie then
    peer = turns.choose(get_request(), route)
    picked[key] = peer
    ngx.header['Set-Cookie'] = ('%s=%s; Path=%s; HttpOnly; SameSite=Lax%s'):format(
      route.cookie, route.cookie_of[peer], route.cookie_path, ngx.var.scheme == 'https' and '; Secure' or '')
  end
end

-- What the usual path could not do for this request: a word, and the route if there is one. For `forward` the request may go on.
function detour.take_pending()
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

-- The route, and the peer if there is one already, of a request that `take_pending` let go on.
function detour.take_chosen(key)
  local route, peer = chosen[key], picked[key]
  chosen[key], picked[key] = nil, nil
  return route, peer
end

-- What a request that was turned aside on its detour is answered with; nil for others.
function detour.why_unanswered()
  local key = key_of(get_request())
  local entry = pending[key]
  pending[key] = nil
  if not entry then return nil end
  if entry.what == 'empty' then answered_by_none('empty', entry.route, 5, 1) end
  return entry.what
end

function detour.path_for(route)
  return route.strip and stripped(route.path) or ngx.var.request_uri
end

return detour

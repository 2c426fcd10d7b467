-- How many requests a route takes: so many in a time, so many at once; of each client or in all. What all workers know lies in a shared
-- dictionary, which only routes with a limit look at. See rate-limit.ts of core for what is meant.
local worker = require 'berth_worker'

local limits = {}
local dictionary = ngx.shared.berth_limits
-- How many of each place's requests this worker serves.
local own = {}
local LINGER_SECONDS = 1
local SLACK = 1e-6

-- Two workers that ask at the same moment may both get the last one: a limit is not exact to the single request.
local function is_in_time(key, limit)
  local now = ngx.now()
  local interval = limit.periodMs / 1000 / limit.requests
  local due = dictionary:get(key) or now
  if due < now then due = now end
  if due - now > limit.burst * interval + SLACK then return false end
  due = due + interval
  dictionary:set(key, due, due - now + LINGER_SECONDS)
  return true
end

local function slot(place, id)
  return 'n' .. id .. '\0' .. place
end

-- Each worker writes its own number, so that what one that dies has counted goes with it.
local function tell(place)
  local count = own[place]
  if count == 0 then
    own[place] = nil
    return dictionary:delete(slot(place, ngx.worker.id()))
  end
  dictionary:set(slot(place, ngx.worker.id()), count)
end

local function has_room(place, most)
  local count = own[place] or 0
  for id = 0, ngx.worker.count() - 1 do
    if id ~= ngx.worker.id() then count = count + (dictionary:get(slot(place, id)) or 0) end
  end
  return count < most
end

-- A place to be left again, if the route counts those; and whether the request is refused.
function limits.admit(route)
  local limit = route.limit
  local place = route.id .. '\0' .. (limit.per == 'client' and ngx.var.binary_remote_addr or '')
  if limit.concurrent > 0 and not has_room(place, limit.concurrent) then return nil, true end
  if limit.requests > 0 and not is_in_time('r' .. place, limit) then return nil, true end
  if limit.concurrent == 0 then return nil, false end
  own[place] = (own[place] or 0) + 1
  tell(place)
  return place, false
end

function limits.leave(place)
  own[place] = own[place] - 1
  tell(place)
end

-- One that takes the place of a crashed one serves nothing yet.
worker.on_start(function()
  local prefix = 'n' .. ngx.worker.id() .. '\0'
  for _, key in ipairs(dictionary:get_keys(0)) do
    if key:sub(1, #prefix) == prefix then dictionary:delete(key) end
  end
end)

return limits

-- What the workers tell of the peers' counters: requests in flight, all counts, or those that have changed.
local tables = require 'berth_table'
local worker = require 'berth_worker'

-- Of one answer: a few milliseconds.
local MAX_CHANGES = 200

-- Of those that serve something, and of those that are to end: the others are many and have nothing to tell.
worker.on_question('inflight', function()
  local inflight = {}
  for _, peer in pairs(tables.peers) do
    if peer.instance ~= '' and (peer.inflight ~= 0 or peer.retired_at) then
      inflight[peer.endpoint] = (inflight[peer.endpoint] or 0) + peer.inflight
    end
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

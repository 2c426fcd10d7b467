-- gRPC's own ways: errors of the gateway as its clients understand them, and which class of answers a status belongs to.
local detour = require 'berth_detour'

local ngx, tonumber, floor = ngx, tonumber, math.floor

local grpc = {}

local DEADLINE_EXCEEDED, RESOURCE_EXHAUSTED, UNIMPLEMENTED, UNAVAILABLE = 4, 8, 12, 14

-- Of what is found out before a member is asked, and of what nginx says of members.
local reasons = {
  unknown = { UNIMPLEMENTED, 'no service is published at this address' },
  ['no-grpc'] = { UNIMPLEMENTED, 'the service at this address does not speak gRPC' },
  empty = { UNAVAILABLE, 'the service at this address has no running instance at the moment' },
  limited = { RESOURCE_EXHAUSTED, 'there were more requests than this service accepts' },
  maintenance = { UNAVAILABLE, 'the service at this address is being worked on' },
  [502] = { UNAVAILABLE, 'the service at this address did not answer' },
  [504] = { DEADLINE_EXCEEDED, 'the service at this address did not answer in time' },
}

-- content_by_lua for a request that no member answered: nothing but headers, which end the stream.
function grpc.failed()
  local what = detour.take_pending()
  local reason = reasons[what or ngx.status] or reasons[502]
  ngx.status = 200
  ngx.header['Content-Type'] = 'application/grpc'
  ngx.header['Content-Length'] = 0
  ngx.header['grpc-status'] = reason[1]
  ngx.header['grpc-message'] = 'berth: ' .. reason[2]
  return ngx.exit(ngx.HTTP_OK)
end

-- Faults of the service, by OpenTelemetry's rule for servers: unknown, deadline exceeded, unimplemented, internal, unavailable, data loss.
local faults = { [2] = true, [4] = true, [12] = true, [13] = true, [14] = true, [15] = true }

-- The class of answers that counts what became of a request, and whether a member answered it. A stream that ends without a status was
-- given up by its client or cut off with its member, which cannot be told apart: it counts as 4xx, as what clients give up does.
function grpc.class()
  local status = tonumber(ngx.var.sent_http_grpc_status or ngx.var.sent_trailer_grpc_status)
  local times = ngx.var.upstream_header_time
  local is_answered = times ~= nil and times:sub(-1) ~= '-'
  if status == nil then return is_answered and 4 or ngx.status == 499 and 4 or 5, is_answered end
  if status == 0 then return 2, is_answered end
  return faults[status] and 5 or 4, is_answered
end

-- Until the member that answered began to.
function grpc.milliseconds()
  local seconds = tonumber((ngx.var.upstream_header_time or ''):match('[%d.]+$')) or 0
  return floor(seconds * 1000 + 0.5)
end

return grpc

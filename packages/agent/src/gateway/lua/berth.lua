-- Runs in nginx's master before the workers are forked: reads the dump, and makes the functions that nginx.conf names.
local worker = require 'berth_worker'
local proxy = require 'berth_proxy'
local grpc = require 'berth_grpc'
local pages = require 'berth_pages'
local tls = require 'berth_tls'
local admin = require 'berth_admin'
require 'berth_counters'

-- Live data is small and garbage short-lived: collecting less often costs little memory and saves time.
collectgarbage('setpause', 400)

-- The dump is one line with a checksum, then the text of the table. A worker could not read it: it belongs to root.
local function read_dump(path)
  local file = io.open(path, 'rb')
  if not file then return nil end
  local content = file:read('*a')
  file:close()
  local checksum, length, text = content:match('^berth%-gateway%-table crc32=(%x+) bytes=(%d+)\n(.*)$')
  if not checksum then return nil, path .. ' is no dump of a table' end
  if #text ~= tonumber(length) or ngx.crc32_long(text) ~= tonumber(checksum, 16) then
    return nil, path .. ' is damaged: its checksum does not match'
  end
  return text
end

-- Global functions: nginx.conf calls them by name, which for the hot path saves looking them up in a table.
return function(settings)
  berth_plain, berth_secure, berth_done = proxy.plain, proxy.secure, proxy.done
  berth_chosen, berth_again = proxy.chosen, proxy.chosen
  berth_unusual = function() return pages.unusual(settings.https_port) end
  berth_unanswered = pages.unanswered
  berth_certificate = tls.choose
  berth_grpc, berth_grpc_done, berth_grpc_failed = proxy.grpc, proxy.grpc_done, grpc.failed
  berth_admin = admin.handle
  berth_start_worker = worker.start
  if settings.access_log then proxy.name_requests() end
  if ngx.shared.berth:get('started') then ngx.shared.berth:incr('reloads', 1, 0) end
  ngx.shared.berth:set('started', true)
  worker.start_master(settings, function() return read_dump(settings.dump) end)
end

-- The agent's interface, on a unix socket that only the agent can reach. See admin-client.ts for its other end.
local cjson = require 'cjson.safe'
local tables = require 'berth_table'
local worker = require 'berth_worker'

local APPLY_SECONDS = 5
local ANSWER_SECONDS = 2

local admin = {}

local function reply(status, value)
  ngx.status = status
  ngx.header['Content-Type'] = 'application/json'
  ngx.print(cjson.encode(value))
  return ngx.exit(ngx.HTTP_OK)
end

local function body()
  ngx.req.read_body()
  local data = ngx.req.get_body_data()
  if data then return data end
  local path = ngx.req.get_body_file()
  if not path then return '' end
  local file = assert(io.open(path, 'rb'))
  data = file:read('*a')
  file:close()
  return data
end

local function put_table()
  local text = body()
  local ok, reason = worker.with_lock(APPLY_SECONDS, function() return worker.publish(text) end)
  if not ok then return reply(422, { error = reason }) end
  return reply(200, { version = worker.state.version })
end

local function put_changes()
  local text = body()
  local ok, reason, unfit = worker.with_lock(APPLY_SECONDS, function() return worker.publish_changes(text) end)
  if not ok then return reply(unfit and 412 or 422, { error = reason }) end
  return reply(200, { version = worker.state.version })
end

local function get_table()
  if worker.shared.generation ~= worker.generation then worker.refresh() end
  ngx.header['Content-Type'] = 'text/plain; charset=utf-8'
  ngx.print(worker.generation == 0 and '' or tables.text(worker.state))
end

-- What every worker answers to `question`, and what holds for all of them.
local function get_status(question)
  local answers, missing = worker.with_lock(ANSWER_SECONDS, function() return worker.ask(question, ANSWER_SECONDS) end)
  if not answers then return reply(503, { error = missing }) end
  if question == 'inflight' then
    for _, inflight in ipairs(worker.leaving()) do answers[#answers + 1] = { version = worker.state.version, inflight = inflight } end
  end
  return reply(200, {
    configuration = worker.settings.configuration, workers = ngx.worker.count(), missing = missing, refusals = worker.refusals(),
    answers = answers,
    kept = worker.state.kept, reloads = ngx.shared.berth:get('reloads') or 0,
  })
end

function admin.handle()
  if worker.is_superseded() then return reply(409, { error = 'nginx is reading a new configuration' }) end
  local request = ngx.req.get_method() .. ' ' .. ngx.var.uri
  if request == 'PUT /table' then return put_table() end
  if request == 'PUT /changes' then return put_changes() end
  if request == 'GET /table' then return get_table() end
  if request == 'GET /inflight' then return get_status('inflight') end
  if request == 'GET /counters' then return get_status('counters') end
  if request == 'GET /changes' then return get_status('changes') end
  if request == 'GET /changes-anew' then return get_status('changes-anew') end
  return reply(404, { error = 'no ' .. request })
end

return admin

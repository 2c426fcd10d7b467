-- The state of one worker: the table in force, how a new one comes into force, and the answers to questions that are put to all
-- workers. The text of the table lies in a shared dictionary, its generation in shared memory.
--
-- Whoever chooses a member compares the generation first. So a table is in force everywhere as soon as its generation is set, in a
-- worker that is asleep too: its next request will look.
local cjson = require 'cjson.safe'
local tables = require 'berth_table'
local share_memory = require 'berth_shared'

local TICK_SECONDS = 0.025
local HOUSEKEEPING_SECONDS = 30
local LINGER_SECONDS = 60
-- What a worker of an older cycle said last is believed so long, in case it was killed.
local LEAVING_SECONDS = 2
local LEAVING = 'leaving:'

local worker = {
  -- What the hot path reads: changed or replaced between two requests.
  state = tables.empty(),
  generation = 0,
  shared = share_memory(),
  cycle = 0,
  settings = nil,
}

local dictionary = ngx.shared.berth
local beginners = {}
local housekeepers = {}
local answers = {}

-- What worker `id` of this cycle tells the others.
local function row(id)
  return worker.shared.workers[worker.cycle % 2][id]
end

local function own()
  return row(ngx.worker.id() or 0)
end

local function take(text)
  local state, reason = tables.parse(text, worker.state)
  if not state then return nil, reason end
  worker.state = state
  tables.adopt(state, ngx.now())
  return true
end

local function take_changes(text)
  local changes, reason = tables.read_changes(text, worker.state)
  if not changes then return nil, reason end
  tables.change(worker.state, changes, ngx.now())
  return true
end

-- A table lies in the dictionary as a whole, marked with its generation, and what has changed since lies beside it by generations.
local function changes_of(generation)
  return dictionary:get('changes:' .. generation)
end

-- All changes of the generations after `from`, up to `to`. Nil when one of them is not there any more, or does not fit.
local function follow(from, to)
  for generation = from + 1, to do
    local text = changes_of(generation)
    if not text then return nil, 'changes of generation ' .. generation .. ' are missing' end
    local ok, reason = take_changes(text)
    if not ok then return nil, reason end
  end
  return true
end

local function load_whole(generation)
  local text, whole = dictionary:get('table')
  local ok, reason = take(text or '')
  if not ok then return nil, reason end
  return follow(math.min(whole or generation, generation), generation)
end

-- Puts the table of the dictionary into force in this worker. A text that cannot be read was refused before it came there; should it
-- happen all the same, the worker goes on with what it has and says so.
function worker.refresh()
  local generation = worker.shared.generation
  local ok = worker.generation > 0 and worker.generation < generation and follow(worker.generation, generation)
  local reason
  if not ok then ok, reason = load_whole(generation) end
  worker.generation = generation
  own().refused = ok and 0 or generation
  if not ok then ngx.log(ngx.CRIT, 'berth: table of generation ', generation, ' is refused: ', reason) end
end

local function next_generation()
  worker.shared.generation = worker.shared.generation + 1
  worker.refresh()
  return true
end

-- Every worker routes by `text` from now on. Returns nil and the reason when the text is no table.
function worker.publish(text)
  local state, reason = tables.parse(text, worker.state)
  if not state then return nil, reason end
  local generation = worker.shared.generation
  local _, whole = dictionary:get('table')
  local stored, why = dictionary:safe_set('table', text, 0, generation + 1)
  if not stored then return nil, 'store the table: ' .. why end
  next_generation()
  for old = whole or generation, generation do dictionary:delete('changes:' .. old) end
  return true
end

-- The same by what has changed. `unfit`: the changes are of another table than the one in force.
function worker.publish_changes(text)
  if worker.shared.generation ~= worker.generation then worker.refresh() end
  local changes, reason = tables.read_changes(text, worker.state)
  if not changes then return nil, reason, 'unfit' end
  local stored, why = dictionary:safe_set('changes:' .. worker.generation + 1, text)
  if not stored then return nil, 'store the changes: ' .. why, 'unfit' end
  return next_generation()
end

-- `get(argument)` answers `question` for one worker, as a value that JSON can hold.
function worker.on_question(question, get)
  answers[question] = get
end

function worker.on_start(begin)
  beginners[#beginners + 1] = begin
end

function worker.on_housekeeping(keep)
  housekeepers[#housekeepers + 1] = keep
end

-- How many workers are not `done` after at most `seconds`.
local function wait_for_all(seconds, done)
  local deadline = ngx.now() + seconds
  while true do
    local missing = 0
    for id = 0, ngx.worker.count() - 1 do
      if not done(row(id)) then missing = missing + 1 end
    end
    if missing == 0 or ngx.now() >= deadline then return missing end
    ngx.sleep(0.001)
  end
end

-- How many workers could not read the table in force.
function worker.refusals()
  local count = 0
  for id = 0, ngx.worker.count() - 1 do
    if row(id).refused ~= 0 then count = count + 1 end
  end
  return count
end

local function answer(number)
  if worker.shared.generation ~= worker.generation then worker.refresh() end
  local question = dictionary:get('question') or ''
  local get = answers[question]
  local text = get and cjson.encode(get()) or 'null'
  dictionary:set('answer:' .. (ngx.worker.id() or 0), text)
  own().told = number
end

-- Puts a question to all workers and returns their answers, and how many did not answer within `seconds`. One question at a time:
-- the caller holds the lock.
function worker.ask(question, seconds)
  dictionary:set('question', question)
  local number = worker.shared.asked + 1
  worker.shared.asked = number
  answer(number)
  local missing = wait_for_all(seconds, function(other) return other.told >= number end)
  local all = {}
  for id = 0, ngx.worker.count() - 1 do
    if row(id).told >= number then
      all[#all + 1] = cjson.decode(dictionary:get('answer:' .. id) or 'null')
    end
  end
  return all, missing
end

-- Carries out `act` while no other worker does the same; waits at most `seconds` for it.
function worker.with_lock(seconds, act)
  local deadline = ngx.now() + seconds
  while not dictionary:add('lock', ngx.worker.pid(), seconds * 2) do
    if ngx.now() >= deadline then return nil, 'another change is under way' end
    ngx.sleep(0.001)
  end
  local ok, first, second, third = pcall(act)
  dictionary:delete('lock')
  if not ok then error(first, 0) end
  return first, second, third
end

-- Old workers of a reload still take requests for a moment, also from the agent; they know nothing of the new ones.
function worker.is_superseded()
  return worker.shared.cycle ~= worker.cycle
end

-- Tells the workers of the newer cycle what this one, of an older one, still serves. Returns whether it does.
local function tell_leaving()
  local inflight = {}
  for _, peer in pairs(tables.peers) do
    if peer.inflight > 0 and peer.instance ~= '' then inflight[peer.endpoint] = (inflight[peer.endpoint] or 0) + peer.inflight end
  end
  local key = LEAVING .. ngx.worker.pid()
  if not next(inflight) then
    dictionary:delete(key)
    return false
  end
  dictionary:set(key, cjson.encode(inflight), LEAVING_SECONDS)
  return true
end

-- What workers of older cycles serve: requests by endpoint, of each of them.
function worker.leaving()
  local all = {}
  for _, key in ipairs(dictionary:get_keys(0)) do
    local text = key:sub(1, #LEAVING) == LEAVING and dictionary:get(key)
    if text then all[#all + 1] = cjson.decode(text) end
  end
  return all
end

local function tick()
  if worker.is_superseded() then tell_leaving() end
  if worker.shared.generation ~= worker.generation then worker.refresh() end
  local asked = worker.shared.asked
  if own().told ~= asked then answer(asked) end
end

local function keep_house()
  tables.forget_retired(ngx.now(), LINGER_SECONDS)
  for _, keep in ipairs(housekeepers) do keep() end
end

local function guarded(act)
  local ok, reason = pcall(act)
  if not ok then ngx.log(ngx.ERR, 'berth: ', reason) end
end

local function run()
  local next_housekeeping = ngx.now() + HOUSEKEEPING_SECONDS
  while not ngx.worker.exiting() do
    guarded(tick)
    if ngx.now() >= next_housekeeping then
      next_housekeeping = ngx.now() + HOUSEKEEPING_SECONDS
      guarded(keep_house)
    end
    ngx.sleep(TICK_SECONDS)
  end
  -- The master has asked it to end, which it does when nothing is left.
  while tell_leaving() do ngx.sleep(TICK_SECONDS) end
end

-- In the master, before it forks: the workers inherit the table. On a reload the dictionary has a newer one than the dump.
function worker.start_master(settings, read_dump)
  worker.settings = settings
  worker.cycle = worker.shared.cycle + 1
  if dictionary:get('table') then
    local ok, why = load_whole(worker.shared.generation)
    worker.generation = worker.shared.generation
    if not ok then ngx.log(ngx.CRIT, 'berth: the table in force is refused: ', why) end
    return
  end
  local text, reason = read_dump()
  if reason then ngx.log(ngx.CRIT, 'berth: ', reason) end
  if not text then return end
  local ok, why = take(text)
  if not ok then return ngx.log(ngx.CRIT, 'berth: the dump is refused: ', why) end
  if worker.shared.generation == 0 then worker.shared.generation = 1 end
  assert(dictionary:safe_set('table', text, 0, worker.shared.generation))
  worker.generation = worker.shared.generation
end

function worker.start()
  worker.shared.cycle = worker.cycle
  -- One that takes the place of a crashed one must not answer for what that one did.
  own().told, own().refused = 0, 0
  for _, begin in ipairs(beginners) do begin() end
  if worker.shared.generation ~= worker.generation then worker.refresh() end
  tables.spread(worker.state, ngx.worker.id() / ngx.worker.count())
  assert(ngx.timer.at(0, run))
end

return worker

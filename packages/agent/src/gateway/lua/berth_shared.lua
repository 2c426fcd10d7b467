-- A piece of memory that the master and all workers share: which table is in force, and what is asked of everybody. The master maps
-- it before it forks, so that reading a number of it costs one load where a shared dictionary would cost a lock, a hash and a call for
-- every request.
--
-- A reload starts a new cycle: new workers with new Lua, while the old ones finish what they serve. All cycles of one master share the
-- memory, so that a new table reaches the old workers too; the master finds it again by its environment.
local ffi = require 'ffi'

ffi.cdef [[
typedef struct {
  uint32_t refused; /* generation that this worker could not read; 0: none */
  uint32_t told;    /* last question that this worker answered */
} berth_worker_t;

typedef struct {
  uint32_t generation; /* of the table in the shared dictionary; 0: there is none */
  uint32_t asked;      /* number of the last question to all workers */
  uint32_t cycle;      /* number of the newest cycle that has workers */
  uint32_t unused[13];
  berth_worker_t workers[2][256]; /* by cycle modulo 2 and worker */
} berth_shared_t;

void *mmap(void *address, size_t length, int protection, int flags, int fd, long offset);
int setenv(const char *name, const char *value, int overwrite);
]]

local PROT_READ_WRITE, MAP_SHARED_ANONYMOUS = 3, 0x21
local NAME = 'BERTH_GATEWAY_SHARED'

-- The mapping that an earlier cycle of this master left, unless the environment comes from another process: then there is no shared
-- memory at that address. (The process id says nothing: the master forks after its first cycle was made.)
local function known()
  local address = os.getenv(NAME)
  if not address then return nil end
  for line in io.lines('/proc/self/maps') do
    if line:match('^0*(%x+)%-%x+ rw%-s ') == address then
      return ffi.cast('berth_shared_t *', ffi.cast('uintptr_t', tonumber(address, 16)))
    end
  end
  return nil
end

local function map()
  local memory = ffi.C.mmap(nil, ffi.sizeof('berth_shared_t'), PROT_READ_WRITE, MAP_SHARED_ANONYMOUS, -1, 0)
  if ffi.cast('intptr_t', memory) == -1 then error('mmap: errno ' .. ffi.errno()) end
  ffi.C.setenv(NAME, ('%x'):format(tonumber(ffi.cast('uintptr_t', memory))), 1)
  return ffi.cast('berth_shared_t *', memory)
end

-- For the master.
return function()
  return known() or map()
end

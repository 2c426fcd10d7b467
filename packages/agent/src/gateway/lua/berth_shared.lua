-- A page of memory that the master and all workers share: who has which table in force. The master maps it before it forks, so that
-- reading a number of it costs one load where a shared dictionary would cost a lock, a hash and a call for every request.
local ffi = require 'ffi'

ffi.cdef [[
typedef struct {
  uint32_t refused; /* generation that this worker could not read; 0: none */
  uint32_t told;    /* last question that this worker answered */
} berth_worker_t;

typedef struct {
  uint32_t generation; /* of the table in the shared dictionary; 0: there is none */
  uint32_t asked;      /* number of the last question to all workers */
  uint32_t unused[14];
  berth_worker_t workers[256];
} berth_shared_t;

void *mmap(void *address, size_t length, int protection, int flags, int fd, long offset);
]]

local PROT_READ_WRITE, MAP_SHARED_ANONYMOUS = 3, 0x21

local shared = {}

shared.MAX_WORKERS = 256

function shared.create()
  local memory = ffi.C.mmap(nil, ffi.sizeof('berth_shared_t'), PROT_READ_WRITE, MAP_SHARED_ANONYMOUS, -1, 0)
  if ffi.cast('intptr_t', memory) == -1 then error('mmap: errno ' .. ffi.errno()) end
  return ffi.cast('berth_shared_t *', memory)
end

return shared

-- The states of a run, and which may follow which. A run is what its journal says, but that
-- one without an end is running only while its process holds the run's lock, which dies with
-- it: else it has crashed, and can be gone on with like any that did not end well.
--
--   pending --> running --> ok | failed | refused | waiting | interrupted
--                  \------> crashed
--
-- A run that is gone on with stays what it was; the new one names it (`resumed`).
local errors = require("orrery.kernel.errors")
local lock = require("orrery.core.lock")
local loop = require("orrery.kernel.loop")

local states = {}

local ENDS = { ok = true, failed = true, refused = true, waiting = true, interrupted = true }
local NEXT = { pending = { running = true }, running = ENDS }

--- Moves a run that is being executed to its next state. Raises code "internal" when that
--- may not follow.
---@param run { state?: string }
---@param to string
function states.move(run, to)
  local from = run.state or "pending"
  if not (NEXT[from] and NEXT[from][to]) then
    errors.raise("internal", ("a run cannot go from %s to %s"):format(from, to))
  end
  run.state = to
end

local function lock_name(id) return "run:" .. id end

--- Holds the lock of a run, as long as this process or the lock file lives.
---@param file core.LockFile of the root
---@param id string
---@return core.Lock?
function states.hold(file, id) return (file:try(lock_name(id))) end

-- A run whose warden was killed takes a moment to see that and to end.
local PATIENCE, TURN = 2, 0.02

--- Makes sure that only one process goes on with a run. In a task. Raises code "state" when
--- another does, or the run itself is still running.
---@param file core.LockFile of the root
---@param id string
---@return core.Lock to be kept while going on
function states.claim(file, id)
  local own = file:try(lock_name(id))
  for _ = 1, own and 0 or PATIENCE // TURN do
    loop.sleep(TURN)
    own = file:try(lock_name(id))
    if own then break end
  end
  if not own then
    errors.raise("state", ("run %s is still running"):format(id), { exit = 5,
      hint = "let it end, or end it, before going on with it" })
  end
  own:close()
  local claim = file:try("resume:" .. id)
  if not claim then
    errors.raise("state", ("run %s is being gone on with by another process"):format(id),
      { exit = 5 })
  end
  return claim
end

--- The state of a run by what its journal begins and ends with.
---@param root string
---@param id string
---@param first table? the first event
---@param last table? the last one
---@return string
function states.of(root, id, first, last)
  if last and last.ev == "run_finished" then
    return ENDS[last.status] and last.status or "failed"
  end
  local file <close> = setmetatable({ lock.open(root .. "/.orrery/lock") },
    { __close = function(f) f[1]:close() end })
  local free = file[1]:try(lock_name(id))
  if free then
    free:close()
    return "crashed"
  end
  return first and first.ev == "run_started" and "running" or "pending"
end

return states

-- What is known of files while the run stands still: until the loop waits, nothing that the
-- run started can be told to have ended, and what was just seen need not be looked at again.
-- In a run where nothing changed that is all of it: each file is looked at once, however
-- many steps read it.
--
-- What the run itself changes without waiting (a restored or a removed file) forgets too.
local artifacts = require("orrery.run.artifacts")

local still = {}

--- A fresh memory, for run.still; nested runs share it.
---@return { facts: table<string, table> }
function still.new() return { facts = {} } end

--- Forgets everything: the loop is about to wait, or the run has changed a file.
---@param run orrery.Run
function still.over(run)
  local known = run.still
  if known and next(known.facts) then known.facts = {} end
end

--- The fact of a file that was seen since the loop last waited, or nil.
---@param run orrery.Run
---@param path string
---@return table? fact { path, digest, executable }
function still.get(run, path)
  local known = run.still
  return known and known.facts[path]
end

--- Remembers what was seen; returns it as a fact. Not of artifacts, which bodies write.
---@param run orrery.Run
---@param path string
---@param digest string
---@param mode integer?
---@return table fact
function still.put(run, path, digest, mode)
  local fact = { artifacts.anywhere(run, path), digest, mode and mode & 64 ~= 0 }
  local known = run.still
  if known and not artifacts.holds(path) then known.facts[path] = fact end
  return fact
end

return still

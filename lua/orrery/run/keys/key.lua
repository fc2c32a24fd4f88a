-- Keys: what determines the result of a step, as a manifest whose digest is the base key.
--
-- The manifest is kept beside the result, so that a miss can be explained as a diff. Never
-- in it: times, absolute paths, host names, run ids, attempts, the order of a table.
local pack = require("orrery.core.pack")

local key = {}

--- The format of keys; a change makes every earlier record unreachable.
key.VERSION = 3

--- The digest of a manifest.
---@param manifest table
---@return string hex
function key.of(manifest)
  local d, why = pack.digest(manifest, "key")
  if not d then error(why, 0) end
  return d
end

--- The full key: the base key and the facts of one recorded input set.
---@param base string
---@param facts table?
---@return string
function key.full(base, facts)
  if not facts then return base end
  return key.of({ base = base, facts = facts })
end

return key

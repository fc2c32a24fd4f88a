-- Keeps values of a body as artifacts: files in the run's directory, known to its registry.
local artifacts = require("orrery.run.keys.artifacts")
local errors = require("orrery.kernel.errors")
local fs = require("orrery.core.fs")
local hash = require("orrery.core.hash")
local json = require("orrery.core.json")

local keep = {}

local function bytes_of(name, value)
  if type(value) == "string" then return value end
  local text, err = json.encode(value, { indent = 2 })
  if not text then
    errors.raise("artifact", ("artifact %s: %s"):format(name, errors.text(err)))
  end
  return text .. "\n"
end

--- Writes an artifact and registers it. Raises code "artifact" for a bad name or value.
---@param run orrery.Run
---@param step string id of the step it is from
---@param name string a path under the run's artifacts
---@param value any
---@return string path
function keep.artifact(run, step, name, value)
  if not fs.inside(name) then
    errors.raise("artifact", ("artifact '%s': the name must be a relative path without ..")
      :format(name))
  end
  local bytes = bytes_of(name, value)
  local path = run.root .. "/" .. artifacts.dir(run) .. "/" .. name
  fs.mkdir(path:match("^(.*)/"))
  local ok, err = fs.write_atomic(path, bytes)
  if not ok then errors.raise("artifact", errors.text(err)) end
  local digest = hash.sha256(bytes)
  local id, version = run.registry:add({ name = name, step = step, path = path, digest = digest,
    size = #bytes, type = name:match("%.([%w]+)$") })
  if not id then errors.raise("artifact", errors.text(version)) end
  run.journal:emit({ ev = "artifact", id = id, name = name, step = step, path = path,
    type = name:match("%.([%w]+)$"), digest = digest, version = version })
  return path
end

return keep

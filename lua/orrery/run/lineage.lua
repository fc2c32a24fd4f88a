-- Where artifacts come from and where they went: what the manifests of a run's steps say
-- about their inputs, looked up when somebody asks.
local against = require("orrery.run.against")
local artifacts = require("orrery.run.keys.artifacts")
local environ = require("orrery.run.keys.environ")
local manifests = require("orrery.run.memo.manifests")
local state = require("orrery.run.records.state")

local lineage = {}

-- step → its inputs { path, digest }; false: its manifest was not kept.
local function inputs_of(root, store, run, step)
  local full = against.key(root, run, step)
  local record = manifests.record({ store = store }, full)
  if not record then return false end
  local out = {}
  for i, f in ipairs(manifests.of(record).inputs or {}) do
    out[i] = { path = artifacts.here(run, f[1]), digest = f[2] or nil }
  end
  return out
end

--- The lineage of an artifact within its run.
---@param root string
---@param run string id
---@param artifact core.Artifact
---@param all core.Artifact[] of the run
---@param config orrery.Config?
---@return { inputs: { path: string, digest?: string, step?: string }[]?, used_by: string[] }
---   inputs nil: they were not kept
function lineage.of(root, run, artifact, all, config)
  local store = state.store(state.cache_dir(root, environ.process(), config), config)
  local makers, steps, seen = {}, {}, {}
  for _, a in ipairs(all) do
    if a.path then makers[a.path] = a.step end
    if a.step and not seen[a.step] then
      seen[a.step] = true
      steps[#steps + 1] = a.step
    end
  end
  local out = { used_by = {} }
  for _, step in ipairs(steps) do
    for _, one in ipairs(inputs_of(root, store, run, step) or {}) do
      if one.path == artifact.path then out.used_by[#out.used_by + 1] = step end
    end
  end
  local own = artifact.step and inputs_of(root, store, run, artifact.step)
  for _, one in ipairs(own or {}) do one.step = makers[one.path] end
  out.inputs = own or nil
  if store then store:close() end
  return out
end

return lineage

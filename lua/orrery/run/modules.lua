-- Modules of a workflow's root at run time: a user's policies. Found where the workflow
-- file's own require looks: lua/, workflows/ and the path of orrery.lua. They are text,
-- evaluated once a run, with pairs and next in sorted order.
local errors = require("orrery.kernel.errors")
local fs = require("orrery.core.fs")
local sorted = require("orrery.kernel.sorted")

local modules = {}

local function candidates(run, name)
  local rel, out = name:gsub("%.", "/"), {}
  local dirs = { "lua", "workflows" }
  table.move(run.config.path or {}, 1, #(run.config.path or {}), 3, dirs)
  for _, dir in ipairs(dirs) do
    local base = (dir:sub(1, 1) == "/" and dir or run.root .. "/" .. dir) .. "/" .. rel
    out[#out + 1] = base .. ".lua"
    out[#out + 1] = base .. "/init.lua"
  end
  return out
end

local function environment(run)
  local env = setmetatable({ pairs = sorted.pairs, next = sorted.next or next,
    require = function(name) return modules.require(run, name) end }, { __index = _G })
  return env
end

--- A module of the root, or one of ours. Raises code "module" when there is none.
---@param run orrery.Run
---@param name string
---@return any
function modules.require(run, name)
  if name:find("^orrery") then return require(name) end
  run.modules = run.modules or {}
  local loaded = run.modules[name]
  if loaded ~= nil then return loaded end
  local tried = candidates(run, name)
  for _, path in ipairs(tried) do
    local text = fs.read(path)
    if text then
      local inside = path:sub(1, #run.root + 1) == run.root .. "/"
      local shown = inside and path:sub(#run.root + 2) or path
      local chunk, err = load(text, "@" .. shown, "t", environment(run))
      if not chunk then errors.raise("module", err) end
      loaded = chunk(name)
      run.modules[name] = loaded == nil and true or loaded
      return run.modules[name]
    end
  end
  errors.raise("module", ("there is no module '%s': tried %s"):format(name,
    table.concat(tried, ", ")))
end

return modules

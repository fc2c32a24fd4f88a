-- Modules that most runs never need: a stand-in that requires its module when something of it
-- is first asked for. Half of the time of a short run is the loading of modules.

--- A stand-in for a module that is a table of functions: reading a field is all it can do.
--- local nearest = lazy("orrery.kernel.nearest")
---@param name string
---@return table
local function lazy(name)
  local meta = {}
  function meta.__index(_, key)
    local module = require(name)
    meta.__index = module
    return module[key]
  end
  return setmetatable({}, meta)
end

return lazy

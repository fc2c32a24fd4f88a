-- What names mean at the prompt: what was assigned there, Lua's own, and the primitives,
-- each required when it is first named.
local scope = {}

local primitives = { "cache", "fs", "git", "hash", "json", "log", "pool", "proc", "registry",
  "schema", "time", "yaml" }
local known = { o = "orrery" }
for _, name in ipairs(primitives) do known[name] = "orrery." .. name end

--- The names that are modules.
---@return table<string, string> name → module
function scope.modules() return known end

--- A fresh environment.
---@param more? table<string, fun(): any> names made on first use
---@return table
function scope.new(more)
  return setmetatable({}, { __index = function(env, name)
    local v = _G[name]
    if v ~= nil then return v end
    if known[name] then
      local ok, module = pcall(require, known[name])
      if ok then v = module end
    elseif more and more[name] then
      v = more[name]()
    end
    if v ~= nil then rawset(env, name, v) end
    return v
  end })
end

return scope

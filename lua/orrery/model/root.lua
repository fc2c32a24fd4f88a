-- The root of a project: where orrery.lua, workflows/ or .git are.
local fs = require("orrery.core.fs")

local root = {}

local function is_root(dir)
  if dir:match("([^/]*)$"):sub(1, 1) == "." then return false end
  local base = dir == "/" and "" or dir
  local flows = fs.stat(base .. "/workflows")
  return fs.stat(base .. "/orrery.lua") ~= nil or (flows ~= nil and flows.type == "dir")
    or fs.stat(base .. "/.git") ~= nil
end

--- The root for a directory: the nearest one upward with orrery.lua, workflows/ or .git;
--- the directory itself when there is none. A directory whose name begins with a dot is none.
---@param dir string absolute
---@return string
---@usage root.find("/home/me/site/themes") --> "/home/me/site"
function root.find(dir)
  dir = fs.normal(dir)
  local at = dir
  while not is_root(at) do
    if at == "/" or at == "." then return dir end
    at = at:match("^(.*)/[^/]*$")
    if at == nil or at == "" then at = "/" end
  end
  return at
end

return root

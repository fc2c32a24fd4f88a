-- Where skills are: skills/NAME.lua, which returns a function or a table with one called run;
-- or skills/NAME, a program.
local fs = require("orrery.core.fs")

local skills = {}

--- A skill's file.
---@param root string
---@param name string
---@return string? path absolute; nil: there is none
---@return boolean? is_lua
function skills.find(root, name)
  if not fs.inside(name) then return nil end
  local base = root .. "/skills/" .. name
  for _, ending in ipairs({ ".lua", "" }) do
    local st = fs.stat(base .. ending)
    if st and st.type == "file" then return base .. ending, ending == ".lua" end
  end
end

--- The names of all skills, sorted.
---@param root string
---@return string[]
function skills.names(root)
  local out, seen = {}, {}
  for _, file in ipairs(fs.list(root .. "/skills") or {}) do
    local name = file:gsub("%.lua$", "")
    local path, is_lua = skills.find(root, name)
    local st = path and fs.stat(path)
    if path and not seen[name] and (is_lua or (st.mode & 73) ~= 0) then
      seen[name] = true
      out[#out + 1] = name
    end
  end
  return out
end

return skills

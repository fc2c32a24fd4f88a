-- Views: tables that stand for others and note what is read of them, as ctx.params does.
-- They have __pairs. A view neither travels nor becomes JSON; its copy does.
local views = {}

local function copied(value, seen)
  if type(value) ~= "table" or seen[value] then return value end
  local mt = getmetatable(value)
  local is_view = type(mt) == "table" and mt.__pairs ~= nil
  local out = is_view and {} or nil
  if not is_view then seen[value] = true end
  for k, v in pairs(value) do
    local one = copied(v, seen)
    if one ~= v and not out then
      out = {}
      for name, old in next, value do out[name] = old end
      setmetatable(out, mt)
    end
    if out then out[k] = one end
  end
  return out or value
end

--- A value with copies in place of the views in it, which reads all of them.
---@param value any
---@return any the value itself when there is no view in it
function views.plain(value) return copied(value, {}) end

return views

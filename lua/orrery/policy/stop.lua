-- After a failure nothing new starts; what runs may finish. The default.

--- A failure of a unit with allow_failure is none.
---@param g orrery.G
return function(g)
  local function failed() return g.failed > 0 end
  for unit in g:ready({ order = "priority", ends = failed }) do
    g:start(unit)
  end
  return g:settle()
end

-- Runs all that does not need what failed: -k of the command line.

---@param g orrery.G
return function(g)
  for unit in g:ready({ order = "priority" }) do
    g:start(unit)
  end
  return g:settle()
end

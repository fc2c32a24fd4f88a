-- The first failure cancels what runs, and nothing new starts.

---@param g orrery.G
return function(g)
  local function failed() return g.failed > 0 end
  for unit in g:ready({ order = "priority", ends = failed }) do
    g:start(unit)
  end
  while g.running > 0 and not failed() do
    g:wait()
  end
  if failed() then g:cancel() end
  return g:settle()
end

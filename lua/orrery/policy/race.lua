-- The first success wins, and its value is the group's; the rest is cancelled. A
-- failure only ends the race when all have failed.

---@param g orrery.G
return function(g)
  local function won() return g.winner ~= nil end
  for unit in g:ready({ order = "priority", ends = won }) do
    g:start(unit)
  end
  while g.running > 0 and not won() do
    g:wait()
  end
  if not won() then return g:settle() end
  g:cancel()
  return g:finish(g.winner.value)
end

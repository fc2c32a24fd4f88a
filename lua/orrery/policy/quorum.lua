-- Good when enough units succeed: need = 3, or need = "95%" of all (rounded up).
-- rest = "finish" (default) lets the others run too, rest = "cancel" ends them. When
-- the quorum is out of reach nothing new starts, and the group fails.

local function amount(need, total)
  local percent = type(need) == "string" and tonumber(need:match("^(%d+%.?%d*)%%$"))
  if percent then return math.ceil(total * percent / 100 - 1e-9) end
  if math.type(need) == "integer" and need >= 0 then return need end
  error('quorum: need must be a number of units or a share such as "95%"', 0)
end

---@param g orrery.G
---@param opt { need: integer|string, rest?: "finish"|"cancel" }
return function(g, opt)
  local need = amount(opt.need, g.total)
  local cancels = opt.rest == "cancel"
  local function lost() return g.total - g.ended + g.passed < need end
  local function over() return lost() or (cancels and g.passed >= need) end

  for unit in g:ready({ order = "priority", ends = over }) do
    g:start(unit)
  end
  while g.running > 0 and not over() do
    g:wait()
  end
  if cancels and g.passed >= need then
    g:finish()
    g:cancel()
  end
  g:settle()
  if g.passed >= need then return g:finish() end
  return g:fail(("%d of %d succeeded, %d were needed"):format(g.passed, g.total, need))
end

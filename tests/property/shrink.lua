-- A failing case, made smaller while it still fails.
local case = require("tests.property.case")
local text = require("tests.property.text")

local shrink = {}

-- Steps that nobody speaks of, from the last one on.
local function without_step(c, list, i)
  local small = case.copy(c)
  local gone = table.remove(small.graph[list], i)
  for _, s in ipairs(small.graph[list]) do
    for _, id in ipairs(text.needs(s)) do
      if id == gone.id then return nil end
    end
    for _, r in ipairs(s.reads) do
      if r[2] and r[2]:find("^out/" .. gone.id .. "/") then return nil end
    end
    if s.after then s.after = nil end
  end
  return #small.graph[list] > 0 and small or nil
end

local function without_op(c, i)
  local small = case.copy(c)
  table.remove(small.history, i)
  return small
end

local function candidates(c)
  local out = {}
  for i = #c.history, 1, -1 do out[#out + 1] = function() return without_op(c, i) end end
  for i = #c.graph.steps, 1, -1 do
    out[#out + 1] = function() return without_step(c, "steps", i) end
  end
  if c.graph.inner then
    out[#out + 1] = function()
      local small = case.copy(c)
      small.graph.inner = nil
      return small
    end
  end
  for n, s in ipairs(c.graph.steps) do
    for _, field in ipairs({ "group", "extra", "cwd", "after", "ttl", "when", "fan" }) do
      if s[field] and field ~= "fan" then
        out[#out + 1] = function()
          local small = case.copy(c)
          small.graph.steps[n][field] = nil
          return small
        end
      end
    end
    for i = 2, #s.reads do
      out[#out + 1] = function()
        local small = case.copy(c)
        table.remove(small.graph.steps[n].reads, i)
        return small
      end
    end
  end
  return out
end

--- The smallest case found that still fails.
---@param c table a case that fails
---@param fails fun(c: table): string?
---@return table smallest
---@return string? why it fails
function shrink.down(c, fails)
  local why, smaller
  repeat
    smaller = false
    for _, make in ipairs(candidates(c)) do
      local small = make()
      local still = small and fails(small)
      if still then
        c, why, smaller = small, still, true
        break
      end
    end
  until not smaller
  return c, why
end

return shrink

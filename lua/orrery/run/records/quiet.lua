-- A run as a step sees it that is made once more within it: some of what the step tells is left
-- out of the journal, which has told it already.
local quiet = {}

-- Calls of the view's methods are calls of the journal's own.
local function delegated(journal)
  return function(_, name)
    local f = journal[name]
    if type(f) ~= "function" then return f end
    return function(_, ...) return f(journal, ...) end
  end
end

local function view(journal, silent)
  local self = {}
  for _, how in ipairs({ "emit", "later" }) do
    self[how] = function(_, ev)
      if not silent[ev.ev] then journal[how](journal, ev) end
    end
  end
  function self.finished(_, step, r)
    if not silent.step_finished then journal:finished(step, r) end
  end
  function self.hit(_, ...)
    if not silent.hits then journal:hit(...) end
  end
  return setmetatable(self, { __index = delegated(journal) })
end

--- The run, with a journal that leaves out some events. What is set on it is set on the run.
---@param run orrery.Run
---@param silent table<string, true> the events: "step_started", "step_finished", "hits"
---@return orrery.Run
function quiet.run(run, silent)
  return setmetatable({ journal = view(run.journal, silent) }, { __index = run, __newindex = run })
end

return quiet

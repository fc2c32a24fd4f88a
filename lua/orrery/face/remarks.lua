-- What check -v adds: metadata kept but not used, and what steps that always run would lose
-- by becoming cached.
local environ = require("orrery.run.keys.environ")
local sorted = require("orrery.kernel.sorted")
local words = require("orrery.face.words")

local remarks = {}

-- The shell's own business; no command depends on it.
local noise = { _ = true, OLDPWD = true, PWD = true, SHLVL = true, SHELL = true, TERM = true,
  LS_COLORS = true, LESSOPEN = true, LESSCLOSE = true, LOGNAME = true, MAIL = true, LANG = true,
  TZ = true, COLORTERM = true, DISPLAY = true, HISTFILE = true, PS1 = true }

local function note(messages, place, text, hint)
  messages[#messages + 1] = { place = place, level = "note", text = text, hint = hint }
end

local function metadata(wf, messages)
  local names = {}
  for k in sorted.pairs(wf.meta or {}) do names[#names + 1] = tostring(k) end
  if #names > 0 then
    note(messages, wf.place, ("kept as metadata, not used: %s"):format(table.concat(names, ", ")))
  end
end

local function step_metadata(step, messages)
  local names = {}
  for k in sorted.pairs(step.meta or {}) do names[#names + 1] = tostring(k) end
  if #names > 0 then
    note(messages, step.place, ("%s: kept as metadata, not used: %s"):format(step.id,
      table.concat(names, ", ")))
  end
end

local function lost(step, wf)
  local out, given = {}, {}
  for _, list in ipairs({ step.env.take or {}, step.env.pass or {}, { "PATH", "HOME", "USER",
    "TMPDIR" } }) do
    for _, name in ipairs(list) do given[name] = true end
  end
  for name in pairs(step.env.set or {}) do given[name] = true end
  for name in sorted.pairs(environ.process()) do
    if not given[name] and not noise[name] and not name:find("^LC_") then
      out[#out + 1] = name
    end
  end
  return out, wf
end

local function always_runs(step)
  return step.kind == "run" and not step.inputs and step.cache ~= false and not step.tty
end

--- Adds the notes of one workflow.
---@param wf orrery.Workflow
---@param messages orrery.Message[]
function remarks.of(wf, messages)
  metadata(wf, messages)
  for _, step in ipairs(wf.steps) do
    step_metadata(step, messages)
    if always_runs(step) then
      local names = lost(step, wf)
      note(messages, step.place, ("%s: always runs (declares no inputs)%s"):format(step.id,
        #names == 0 and "" or "; cached it would no longer get "
          .. words.some(names, 8)), #names > 0 and "name those it reads in env or pass_env" or nil)
    end
  end
end

return remarks

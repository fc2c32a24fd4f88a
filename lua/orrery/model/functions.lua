-- Functions that will travel to a worker: what they capture must be able to, and what they
-- assign outside themselves would be lost there.
local errors = require("orrery.kernel.errors")
local func = require("orrery.core.func")
local nearest = require("orrery.kernel.nearest")
local sorted = require("orrery.kernel.sorted")

local functions = {}

--- Where a function is written.
---@param fn function
---@return orrery.Place
function functions.place(fn)
  local info = debug.getinfo(fn, "S")
  return { file = (info.source:gsub("^[@=]", "")), line = info.linedefined }
end

local function on_line(fn, line)
  local at = functions.place(fn)
  if line and line > 0 then at.line = line end
  return at
end

local function check_names(fn, info, box, report)
  local known = box.env
  for name, line in sorted.pairs(info.sets_globals or {}) do
    report:error(on_line(fn, line), ("'%s' would be a global, which steps on other threads "
      .. "cannot see; write: local %s"):format(name, name))
  end
  for _, name in ipairs(info.globals or {}) do
    if rawget(known, name) == nil and rawget(_G, name) == nil
      and not (info.sets_globals or {})[name] then
      report:warning(functions.place(fn), ("the function reads '%s', which is not defined")
        :format(name), nearest.hint(name, known))
    end
  end
end

--- Checks a function that runs on a worker.
---@param fn function
---@param what string the field it stands in: "call"
---@param box orrery.Box
---@param report orrery.Messages
function functions.check(fn, what, box, report)
  local code, info = func.dump(fn, box:dump_options())
  if not code then
    return report:error(functions.place(fn), ("%s cannot run on a worker: %s"):format(what,
      errors.text(info)), "a function takes along plain values, other local functions and "
      .. "required modules; make the rest inside it")
  end
  for name, line in sorted.pairs(info.assigns or {}) do
    report:error(on_line(fn, line), ("%s assigns '%s', a local outside it; it runs on a copy: "
      .. "return the value instead"):format(what, name))
  end
  check_names(fn, info, box, report)
end

return functions

-- orrery agents convert FILE: a workflow of the agent dialect as Lua.
local errors = require("orrery.kernel.errors")
local target = require("orrery.face.target")

local convert = {}

convert.usage = "orrery agents convert WORKFLOW"
convert.about = [[
Prints a workflow of the agent dialect (YAML) as the same workflow in Lua: the same steps, order,
conditions, gates and loops, so that it plans and runs alike. Keys that mean nothing to a run are
named in comments.]]
convert.flags = { "param" }
convert.examples = { { "orrery agents convert flow.yaml > workflows/flow.lua",
  "go on in Lua" } }

--- Prints the source.
---@param c table the invocation
---@return integer
function convert.main(c)
  if #c.words ~= 1 then
    errors.raise("usage", #c.words == 0 and "which workflow?" or "one workflow at a time",
      { hint = convert.usage })
  end
  local wf = target.need(c.words, require("orrery.face.args").pairs(c.opts.param, "-p"),
    { inspect = true })
  if not wf.dialect then
    errors.raise("usage", ("%s is no workflow of the agent dialect"):format(c.words[1]),
      { hint = "it is in the language itself already; there is nothing to convert" })
  end
  c.out(require("orrery.model.agents.emit").source(wf, wf.file:match("([^/]*)$")))
  return 0
end

return convert

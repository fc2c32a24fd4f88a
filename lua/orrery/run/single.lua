-- A workflow of a single step, made as a file would make it.
local errors = require("orrery.kernel.errors")

local single = {}

--- Makes it. What is wrong with the fields is a usage error.
---@param name string of the workflow
---@param id string of the step
---@param fields table as of o.step
---@param root string
---@param conf orrery.Config
---@return orrery.Workflow
function single.make(name, id, fields, root, conf)
  local o = require("orrery")
  local report = require("orrery.model.report").new()
  local box = require("orrery.model.sandbox").new({ root = root })
  local node = o.workflow(name)({ o.step(id)(fields) })
  local info = { name = name, file = root .. "/", root = root, form = "lua", config = conf }
  local ok, wf = pcall(require("orrery.model.workflow").make, node, info, {}, box, report)
  if ok then return wf end
  if type(wf) ~= "table" or not wf.messages then error(wf, 0) end
  errors.raise("usage", wf.messages[1].text, { hint = wf.messages[1].hint })
end

return single

-- orrery graph [WORKFLOW] [STEP…]
local args = require("orrery.face.args")
local draw = require("orrery.face.show.graph")
local target = require("orrery.face.target")

local graph = {}

graph.usage = "orrery graph [WORKFLOW] [STEP…]"
graph.about = [[
Draws the steps: as a tree, each step above what it needs; for graphviz (dot); or for mermaid.
With STEP, only these and what they need.]]
graph.flags = { "param", format = { choices = { "text", "dot", "mermaid" },
  help = "how to write it" } }
graph.examples = { { "orrery graph site", "a tree" },
  { "orrery graph site --format=dot | dot -Tsvg > site.svg", "a picture" } }

local function upstream(wf, ids)
  if #ids == 0 then return nil end
  local out = {}
  local function add(item)
    out[item.id] = true
    for _, m in ipairs(item.members or {}) do add(m) end
  end
  for _, id in ipairs(ids) do
    local item = target.item(wf, id)
    add(item)
    for up in pairs(wf.graph:upstream(item.id)) do out[up] = true end
  end
  return out
end

--- Prints the graph.
---@param c table the invocation
---@return integer
function graph.main(c)
  local wf, ids = target.need(c.words, args.pairs(c.opts.param, "-p"), { inspect = true })
  c.out(draw[c.opts.format or "text"](wf, upstream(wf, ids)))
  return 0
end

return graph

-- orrery show [WORKFLOW] [STEP]: a workflow or step in detail.
local args = require("orrery.face.args")
local describe = require("orrery.face.describe")
local json = require("orrery.core.json")
local target = require("orrery.face.target")
local words = require("orrery.face.words")

local show = {}

show.usage = "orrery show [WORKFLOW] [STEP…]"
show.about = [[
Shows a workflow: its params, groups and steps; or steps: what they run, what they need, read
and write, and whether they are remembered.]]
show.flags = { "param", "json" }
show.examples = { { "orrery show site", "the workflow" },
  { "orrery show site pages", "one step of it" },
  { "orrery show pages", "a step of the default workflow" } }

local function print_rows(c, title, rows)
  if title then c.out(title .. "\n") end
  for _, line in ipairs(words.columns(rows, "  ")) do c.out(line .. "\n") end
end

local function print_workflow(c, wf)
  local d = describe.workflow(wf)
  c.out(("%s  %s\n"):format(d.name, d.place))
  if d.doc then c.out("  " .. d.doc:gsub("\n", "\n  ") .. "\n") end
  if #d.params > 0 then
    local rows = {}
    for i, p in ipairs(d.params) do
      rows[i] = { p.name, p.type, p.required and "required" or p.default or "", p.help or "" }
    end
    print_rows(c, "params", rows)
  end
  local rows = {}
  for i, g in ipairs(d.groups) do
    rows[i] = { g.id, words.count(#g.members, "member"), g.policy or "",
      #g.needs > 0 and "← " .. words.some(g.needs, 4) or "", words.some(g.members, 4) }
  end
  if #rows > 0 then print_rows(c, "groups", rows) end
  rows = {}
  for i, s in ipairs(d.steps) do
    rows[i] = { s.id, s.kind, #s.needs > 0 and "← " .. words.some(s.needs, 4) or "",
      s.doc and words.brief(s.doc, 50) or "" }
  end
  print_rows(c, wf.body and "a body: its steps come up as it runs" or "steps", rows)
end

--- Prints details.
---@param c table the invocation
---@return integer
function show.main(c)
  local wf, steps, config = target.need(c.words, args.pairs(c.opts.param, "-p"), { inspect = true })
  if c.opts.json then
    local out = describe.workflow(wf)
    if #steps > 0 then
      out = {}
      for i, id in ipairs(steps) do out[i] = describe.fields(target.item(wf, id), wf, config) end
    end
    c.out(json.encode(out, { lossy = true, indent = 2 }) .. "\n")
    return 0
  end
  if #steps == 0 then print_workflow(c, wf) end
  for _, id in ipairs(steps) do
    local item = target.item(wf, id)
    c.out(item.id .. "\n")
    print_rows(c, nil, describe.rows(item, wf, config))
  end
  return 0
end

return show

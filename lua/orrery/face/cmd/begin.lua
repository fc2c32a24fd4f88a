-- orrery init [NAME]: a first workflow.
local errors = require("orrery.kernel.errors")
local fs = require("orrery.core.fs")
local sys = require("orrery.core.sys")

local init = {}

init.usage = "orrery init [NAME]"
init.about = [[
Writes a first workflow to workflows/NAME.lua (main unless named), or .yaml with --yaml, that
runs as it is: two steps, of which the second reads what the first writes. It never
overwrites a file.]]
init.flags = { "lua", "yaml" }
init.examples = { { "orrery init", "workflows/main.lua" },
  { "orrery init site --yaml", "workflows/site.yaml" } }

local lua_text = [[
local o = require("orrery")

return o.workflow "%s" {
  doc = "Says hello, then counts the letters.",
  params = { name = "world" },   -- orrery run %s -p name=you

  o.step "greet" {
    run = "echo hello, {{params.name}} > out/greeting.txt",
    inputs = {}, outputs = { "out/greeting.txt" },   -- inputs make it remembered
  },
  o.step "count" {
    run = { "wc", "-c", "out/greeting.txt" },
    inputs = { "out/greeting.txt" },                 -- read from greet: runs after it
  },
}
]]

local yaml_text = [[
name: %s
doc: Says hello, then counts the letters.
params:
  name: world          # orrery run %s -p name=you
steps:
  - id: greet
    run: echo hello, {{params.name}} > out/greeting.txt
    inputs: []         # inputs make it remembered
    outputs: [out/greeting.txt]
  - id: count
    run: [wc, -c, out/greeting.txt]
    inputs: [out/greeting.txt]   # read from greet: runs after it
]]

local function check(name, dir)
  if not name:find("^[%w_][%w_.%-]*$") then
    errors.raise("usage", ("'%s' is no name for a workflow: letters, digits, - and _")
      :format(name))
  end
  for _, ending in ipairs({ "lua", "yaml", "yml" }) do
    local path = ("%s/%s.%s"):format(dir, name, ending)
    if fs.lstat(path) then
      errors.raise("usage", ("workflows/%s.%s is there already"):format(name, ending),
        { hint = "give another name: orrery init NAME" })
    end
  end
end

--- Writes the file.
---@param c table the invocation
---@return integer
function init.main(c)
  local name = c.words[1] or "main"
  local dir = sys.cwd() .. "/workflows"
  check(name, dir)
  local ending = c.opts.yaml and "yaml" or "lua"
  local text = (c.opts.yaml and yaml_text or lua_text):gsub("%%s", name)
  local ok, why = fs.mkdir(dir)
  if ok then ok, why = fs.write_atomic(("%s/%s.%s"):format(dir, name, ending), text) end
  if not ok then errors.raise("state", errors.text(why)) end
  c.out(("workflows/%s.%s\n"):format(name, ending))
  c.err(("try it: orrery run %s; twice, and the second time nothing is left to do\n"):format(name))
  return 0
end

return init

-- The framework's own Node.js functions, where ORRERY_FRAMEWORK names a checkout of it.
local json = require("orrery.core.json")
local proc = require("proc")

local framework = {}

local HERE = debug.getinfo(1, "S").source:match("^@(.*)/")

--- What a topic of framework.mjs answers; nil, with a note in the table, where node or the
--- checkout is absent, or the functions do not run.
---@param b table the bench
---@param topic "execute"|"skills"|"lookup"
---@param given table
---@return table?
function framework.ask(b, topic, given)
  local checkout = os.getenv("ORRERY_FRAMEWORK")
  if not checkout then
    b:note("ORRERY_FRAMEWORK names no checkout: the framework's own functions were not timed")
    return nil
  end
  if not b:peer("node") then return nil end
  local at = b:file("framework.json", assert(json.encode(given)))
  local x = proc.run({ "sh", "-c", 'exec node "$0" "$1" "$2" < "$3"',
    HERE .. "/framework.mjs", topic, checkout, at }, { fails = true })
  local answer = x.code == 0 and json.decode(x.stdout)
  if not answer then
    b:note("the framework's functions did not run: " .. x.stderr:sub(1, 300))
    return nil
  end
  return answer
end

return framework

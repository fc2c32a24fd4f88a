-- What people decided about the questions of a run: one line each, appended to
-- decisions.jsonl in its directory. The first line about a question counts.
local errors = require("orrery.kernel.errors")
local fs = require("orrery.core.fs")
local json = require("orrery.core.json")

local decisions = {}

--- The format, field v of each line.
decisions.VERSION = 1

local function path_of(dir) return dir .. "/decisions.jsonl" end

--- How a question is named among the decisions: by step, and by what the step needs.
---@param id string of the step, as the journal has it
---@param key string what the question was bound to
---@return string
function decisions.name(id, key) return id .. "\0" .. key end

--- The decisions of a run's directory by name; a torn line is left out.
---@param dir string
---@return table<string, orrery.Decision>
function decisions.read(dir)
  local out = {}
  for line in (fs.read(path_of(dir)) or ""):gmatch("[^\n]+") do
    local d = json.decode(line)
    if type(d) == "table" and type(d.id) == "string" and type(d.key) == "string"
      and (d.verdict == "approved" or d.verdict == "rejected") then
      local name = decisions.name(d.id, d.key)
      out[name] = out[name] or d
    end
  end
  return out
end

--- Writes a decision. Two at once: the first one counts, and is returned to both.
---@param dir string
---@param d orrery.Decision
---@return orrery.Decision
function decisions.add(dir, d)
  d.v = decisions.VERSION
  local ok, why = fs.append(path_of(dir), json.encode(d, { lossy = true }) .. "\n", { sync = true })
  if not ok then
    errors.raise("state", "the decision cannot be written: " .. errors.text(why), { exit = 5 })
  end
  return decisions.read(dir)[decisions.name(d.id, d.key)]
end

return decisions

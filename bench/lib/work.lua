-- One list of steps, written as a user of each tool would write it. A step: { id, cmd,
-- after?, inputs?, outputs? }; inputs that another step makes order the two.
local fs = require("orrery.core.fs")

local work = {}

local function quoted(list)
  local out = {}
  for i, s in ipairs(list or {}) do out[i] = ("%q"):format(s) end
  return "{ " .. table.concat(out, ", ") .. " }"
end

--- The steps as a Lua workflow.
function work.orrery(steps)
  local out = { 'local o = require("orrery")\nlocal steps = {}\n',
    "local function add(id, t) steps[#steps + 1] = o.step(id)(t) end\n" }
  for _, s in ipairs(steps) do
    out[#out + 1] = ("add(%q, { run = %q%s%s%s })\n"):format(s.id, s.cmd,
      s.after and #s.after > 0 and ", after = " .. quoted(s.after) or "",
      s.inputs and ", inputs = " .. quoted(s.inputs) or "",
      s.outputs and ", outputs = " .. quoted(s.outputs) or "")
  end
  out[#out + 1] = 'return o.workflow "bench" { steps }\n'
  return table.concat(out)
end

local function marks(s) return s.outputs or { s.id } end

local function needed(s, by_id)
  local out = {}
  for _, p in ipairs(s.inputs or {}) do out[#out + 1] = p end
  for _, id in ipairs(s.after or {}) do
    for _, p in ipairs(marks(by_id[id])) do out[#out + 1] = p end
  end
  return table.concat(out, " ")
end

local function by_id(steps)
  local out = {}
  for _, s in ipairs(steps) do out[s.id] = s end
  return out
end

function work.make(steps)
  local ids, all, phony, out = by_id(steps), {}, {}, {}
  for i, s in ipairs(steps) do
    local m = table.concat(marks(s), " ")
    all[i] = m
    if not s.outputs then phony[#phony + 1] = m end
    out[i] = ("%s: %s\n\t@%s\n"):format(m, needed(s, ids), s.cmd)
  end
  return ("all: %s\n.PHONY: all %s\n"):format(table.concat(all, " "), table.concat(phony, " "))
    .. table.concat(out)
end

function work.ninja(steps)
  local ids, out = by_id(steps), { "rule r\n command = $c\n" }
  for _, s in ipairs(steps) do
    out[#out + 1] = ("build %s: r %s\n c = %s\n"):format(table.concat(marks(s), " "),
      needed(s, ids), s.cmd)
  end
  return table.concat(out)
end

--- The entries of a race over these steps; each tool has a folder of its own.
---@param b table
---@param steps table[]
---@param opts { jobs?: integer, prepare?: fun(dir: string), before?: function } before(who, dir)
---@return table[]
function work.race(b, steps, opts)
  local j = "-j" .. (opts.jobs or 2)
  local tools = { { "orrery", "workflows/bench.lua", { b.orrery, "run", "bench", j, "-q" } },
    { "make", "Makefile", { "make", "-r", "-s", j } },
    { "ninja", "build.ninja", { "ninja", j, "--quiet" } },
    { "samu", "build.ninja", { "samu", j } } }
  local race = {}
  for _, t in ipairs(tools) do
    local who = t[1]
    if who == "orrery" or b:peer(who) then
      local dir = b.dir .. "/" .. who
      fs.remove_tree(dir)
      local kind = who == "samu" and "ninja" or who
      b:file(who .. "/" .. t[2], work[kind](steps))
      if opts.prepare then opts.prepare(dir) end
      race[#race + 1] = { who, t[3], cwd = dir, cold = opts.cold,
        before = opts.before and function() opts.before(who, dir) end }
    end
  end
  return race
end

return work

-- What people and accidents do to a checkout. Each operation of a history is plain data,
-- { NAME, … }, so that a history can be repeated and made shorter.
local fs = require("orrery.core.fs")
local graph = require("tests.property.graph")
local world = require("tests.property.world")

local edits = {}

local function at(w, path) return w.dir .. "/" .. path end

local function is_file(path)
  local st = fs.lstat(path)
  return st and st.type == "file"
end

--- Sources --------------------------------------------------------------------

function edits.write(w, path, bytes)
  if fs.lstat(at(w, path)) and not is_file(at(w, path)) then fs.remove(at(w, path)) end
  world.spit(at(w, path), bytes)
end

-- A program, which always can be executed.
function edits.tool(w, path, bytes)
  edits.write(w, path, bytes)
  fs.chmod(at(w, path), 493)
end

function edits.delete(w, path) fs.remove(at(w, path)) end

function edits.rename(w, from, to) fs.rename(at(w, from), at(w, to)) end

function edits.chmod(w, path)
  local st = fs.lstat(at(w, path))
  if st and st.type == "file" then fs.chmod(at(w, path), st.mode ~ 73) end
end

function edits.link(w, path, to)
  fs.remove(at(w, path))
  fs.symlink(to, at(w, path))
end

-- What Lua cannot do to a file: see `mix set` in mix.c.
local function by_mix(verb)
  return function(w, path, arg)
    if is_file(at(w, path)) then w:exec({ "mix", "set", verb, at(w, path), arg }) end
  end
end

edits.sneak, edits.swap, edits.stamp = by_mix("sneak"), by_mix("swap"), by_mix("stamp")

--- A file as it was before it was disturbed.
function edits.undo(w, path)
  if w.before and w.before.text then edits.write(w, path, w.before.text) end
end

function edits.keep(w) w.kept = w:sources() end

--- Everything as it was kept, as git does it: what is right is left alone.
function edits.revert(w)
  if not w.kept then return end
  local now = w:sources()
  for path in pairs(now) do
    if not w.kept[path] then fs.remove(at(w, path)) end
  end
  for path, f in pairs(w.kept) do
    local old = now[path]
    if f.link then
      edits.link(w, path, f.link)
    elseif not old or old.text ~= f.text or old.exec ~= f.exec then
      fs.remove(at(w, path))
      edits.write(w, path, f.text)
      if f.exec then fs.chmod(at(w, path), 493) end
    end
  end
end

function edits.dotenv(w, bytes)
  if w.g.dotenv then world.spit(at(w, ".env"), bytes) end
end

function edits.env(w, name, value) w.env[name] = value or nil end

function edits.param(w, name, value) w.params[name] = value or nil end

--- Outputs --------------------------------------------------------------------

-- The n-th file below out/.
local function output(w, n)
  local list = {}
  for path in pairs(world.walk(at(w, "out"), "out/", {})) do list[#list + 1] = path end
  table.sort(list)
  return list[(n - 1) % math.max(#list, 1) + 1]
end

function edits.spoil(w, n)
  local path = output(w, n)
  if not path or not is_file(at(w, path)) then return end
  fs.remove(at(w, path))
  world.spit(at(w, path), "by hand\n")
  w.by_hand[path] = "by hand\n"
end

function edits.unmake(w, n)
  local path = output(w, n)
  if path then fs.remove(at(w, path)) end
end

function edits.unmake_all(w) fs.remove_tree(at(w, "out")) end

function edits.chmod_output(w, n)
  local path = output(w, n)
  if path and fs.read(at(w, path)) ~= w.by_hand[path] then edits.chmod(w, path) end
end

function edits.sneak_output(w, n)
  local path = output(w, n)
  if not path or not is_file(at(w, path)) then return end
  edits.sneak(w, path, "!")
  w.by_hand[path] = fs.read(at(w, path))
end

function edits.stamp_output(w, n, seconds)
  local path = output(w, n)
  if path then edits.stamp(w, path, seconds) end
end

--- What Orrery remembers ------------------------------------------------------

function edits.lose_index(w)
  w.lost = true
  fs.remove(at(w, ".orrery/index"))
end

function edits.lose_state(w)
  w.lost = true
  fs.remove_tree(at(w, ".orrery"))
  w.runs = {}
end

function edits.clear(w)
  w:forget()
  w:exec({ w.place.orrery, "cache", "clear" })
end

function edits.prune(w)
  w:forget()
  w:exec({ w.place.orrery, "cache", "prune", "--max-size=2K" })
end

-- Flips or cuts at a place of a file, both told in parts of 1000.
local function damage(path, part, how)
  local bytes = fs.read(path)
  if not bytes or #bytes == 0 then return end
  local i = (#bytes - 1) * part // 1000 + 1
  local rest = how == "cut" and "" or string.char(bytes:byte(i) ~ 64) .. bytes:sub(i + 1)
  world.spit(path, bytes:sub(1, i - 1) .. rest)
end

function edits.damage(w, what, part, how)
  w:forget()
  local list = {}
  if what == "index" then
    w.lost = true
    list[1] = at(w, ".orrery/index")
  else
    for path in pairs(world.walk(w.cache .. "/" .. what, w.cache .. "/" .. what .. "/", {})) do
      list[#list + 1] = path
    end
  end
  table.sort(list)
  if #list > 0 then damage(list[part % #list + 1], part, how) end
end

function edits.move(w)
  local to = w.dir .. "m"
  assert(fs.rename(w.dir, to))
  w.dir = to
end

--- The workflow ---------------------------------------------------------------

local function steps_of(w) return w.g.steps end

function edits.retag(w, n)
  local steps = steps_of(w)
  local step = steps[n % #steps + 1]
  step.reads[1] = { "tag", step.reads[1][2] == "t" and "u" or "t" }
  w:write_workflow()
end

function edits.reorder(w)
  w.g.turn = (w.g.turn or 0) + 1
  w:write_workflow()
end

-- Does any step speak of this one?
local function is_read(w, id)
  for _, step in ipairs(steps_of(w)) do
    if step.fan and step.fan.from == id then return true end
    for _, r in ipairs(step.reads) do
      if r[1] == "val" and r[2] == id or r[2] and r[2]:find("^out/" .. id .. "/") then return true end
    end
    for _, list in ipairs({ step.needs or {}, step.after or {} }) do
      for _, other in ipairs(list) do
        if other == id then return true end
      end
    end
  end
  return false
end

function edits.drop(w, n)
  local steps = steps_of(w)
  local step = steps[n % #steps + 1]
  if #steps > 1 and not is_read(w, step.id) then
    w.dropped = table.remove(steps, n % #steps + 1)
    w:write_workflow()
  end
end

function edits.undrop(w)
  if not w.dropped then return end
  table.insert(steps_of(w), w.dropped)
  w.dropped = nil
  w:write_workflow()
end

-- The gate takes others.
function edits.regate(w, n)
  local steps = steps_of(w)
  local step = steps[n % #steps + 1]
  if step.gate then
    step.gate = step.gate == "0-3" and "8-b" or "0-3"
    w:write_workflow()
  end
end

-- The declaration of an output goes, the file stays.
function edits.undeclare(w, n)
  local steps = steps_of(w)
  local step = steps[n % #steps + 1]
  local last = step.writes[#step.writes]
  if #step.writes > 1 and not is_read(w, step.id) and last[1] ~= "dep" then
    table.remove(step.writes)
    w:write_workflow()
  end
end

function edits.exec_form(w, n)
  local steps = steps_of(w)
  local step = steps[n % #steps + 1]
  if step.kind == "run" then
    step.shape = ({ argv = "sh", sh = "bash", bash = "plain", plain = "argv" })[step.shape]
    w:write_workflow()
  end
end

local ENV = { "1", "2", false }

-- How to change what a word reads, by the word.
local AIM = {
  env = function(name)
    if name == "V3" and graph.chance(3) then
      return { "dotenv", ("V3=%s\n"):format(graph.pick({ "one", "two" })) }
    end
    return { "env", name, graph.pick(ENV) }
  end,
  param = function(name) return { "param", name, graph.pick({ name .. "1", name .. "2", false }) } end,
  tree = function(arg)
    local dir = arg:match("^(src[^:]*)")
    local path = dir and dir .. graph.pick({ "/new.c", "/new.c", "/in/3.c" })
    return path and graph.pick({ { "write", path, graph.words() }, { "delete", path } })
  end,
  ["in"] = function(path)
    if path:sub(1, 4) == "bin/" then
      return graph.pick({ { "tool", path, graph.pick({ "#!1\n", "#!2\n" }) }, { "tool", path, "#!2\n" },
        { "sneak", path, graph.pick({ "x", "y" }) }, { "swap", path, "#!3\n" }, { "delete", path } })
    end
    if path:sub(1, 4) ~= "src/" then return nil end
    return graph.pick({ { "write", path, graph.words() }, { "chmod", path }, { "delete", path },
      { "sneak", path, graph.pick({ "x", "y" }) }, { "swap", path, graph.words() },
      { "link", path, graph.pick({ "a", "b", "sub/1" }) } })
  end,
  tag = function(_, n) return { "retag", n - 1 } end,
  -- what a link leads to and what a header includes: any of them
  inc = function() return { "write", graph.pick(graph.paths()), graph.words() } end,
}
AIM.names, AIM.glob = AIM.tree, function(arg) return AIM.tree(arg:match("^(.-)/%*") or arg) end

--- An edit of something that a step of the graph reads; nil when it has none.
---@param g table
---@return table?
function edits.aimed(g)
  local n = math.random(#g.steps)
  if g.steps[n].gate and graph.chance(2) then return { "regate", n - 1 } end
  local r = graph.pick(g.steps[n].reads)
  return AIM[r[1]] and AIM[r[1]](r[2], n)
end

--- A random operation.
---@return table
function edits.random()
  local pick, chance = graph.pick, graph.chance
  local path, n = pick(graph.paths()), math.random(60)
  local words = graph.words()
  local list = {
    { "write", path, words }, { "write", path, words }, { "write", path, words },
    { "sneak", path, pick({ "x", "y", "z", "xy" }) }, { "swap", path, words },
    { "delete", path }, { "rename", path, pick(graph.paths()) }, { "chmod", path },
    { "link", path, pick({ "a", "b", "sub/1" }) }, { "stamp", path, pick({ "-3600", "0", "3600" }) },
    { "keep" }, { "revert" }, { "revert" }, { "dotenv", ("V3=%s\n"):format(pick({ "one", "two" })) },
    { "env", pick({ "V1", "V2", "V3" }), pick({ "1", "2", false }) },
    { "param", pick({ "p", "q" }), pick({ "p1", "p2", false }) },
    { "spoil", n }, { "unmake", n }, { "unmake_all" }, { "chmod_output", n }, { "sneak_output", n },
    { "stamp_output", n, pick({ "-3600", "0", "3600" }) },
    { "retag", n }, { "retag", n }, { "reorder" }, { "drop", n }, { "undrop" }, { "exec_form", n },
    { "regate", n },
    { "undeclare", n },
  }
  if chance(6) then
    list = { { "lose_index" }, { "lose_state" }, { "clear" }, { "prune" }, { "move" },
      { "damage", pick({ "seg", "cas", "index" }), math.random(0, 999), pick({ "flip", "cut" }) } }
  end
  return pick(list)
end

return edits

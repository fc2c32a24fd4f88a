-- One case: a random graph and a random history of edits and runs. After every run that
-- nothing disturbed, what is there must be what the model tells; what was done once under
-- the same circumstances is not done again; a plan says what the run then does.
local edits = require("tests.property.edits")
local fs = require("orrery.core.fs")
local graph = require("tests.property.graph")
local json = require("orrery.core.json")
local loop = require("orrery.kernel.loop")
local model = require("tests.property.model")
local text = require("tests.property.text")
local worlds = require("tests.property.world")

local case = {}

local pick, chance = graph.pick, graph.chance

-- A failure of the property, not of this program.
local function fail(format, ...) error({ property = format:format(...) }, 0) end

---------------------------------------------------------------------------
-- making

local function run_op()
  local op = { "run", jobs = pick({ 1, 1, 4 }), no_plan = chance(4) or nil,
    again = chance(2) or nil, plan = chance(6) or nil }
  if chance(10) then
    op.flag = pick({ "--force", "--cache=off", "--cache=ro", "--cache=wo", "--json" })
  elseif chance(12) then
    op.force = math.random(6)
  elseif chance(12) then
    op.target = math.random(6)
  end
  return op
end

-- While a step works, somebody does something.
local function disturbance(g)
  local step, path = pick(g.steps), pick(graph.paths())
  local what = pick({ { "write", path, graph.words() }, { "write", path, graph.words() },
    { "remove", path, "" }, { "rename", path, pick(graph.paths()) }, { "sneak", path, "w" },
    { "swap", path, graph.words() } })
  return { "disturb", step.id, pick({ "start", "read", "end" }), what[1], what[2], what[3] }
end

-- While a step works, before or after it read its input, that becomes another, and afterwards
-- what it was.
local function back_and_forth(g)
  local own = {}
  for _, step in ipairs(g.steps) do
    for _, r in ipairs(step.reads) do
      if r[1] == "in" and r[2]:find("^src/") and step.kind == "run" then own[#own + 1] = { step.id, r[2] } end
    end
  end
  if #own == 0 then return disturbance(g) end
  local id, path = table.unpack(pick(own))
  return { "disturb", id, pick({ "start", "start", "read" }), pick({ "write", "write", "swap" }), path,
    graph.words() }, { "undo", path }
end

local function happening(g)
  local n = math.random(22)
  if n <= 2 then return disturbance(g) end
  if n == 3 or n == 9 then return back_and_forth(g) end
  if n == 4 then
    return { "kill", pick(g.steps).id, pick({ "start", "read", "end" }),
      pick({ "engine", "warden", "both" }) }
  end
  if n == 5 then return { "two" } end
  if n == 6 then return { "beside", pick({ "clear", "prune" }) } end
  if n == 7 then return { "worktree" } end
  if n == 8 then return { "only", math.random(6), graph.words() } end
end

--- The case of a seed, as plain data.
---@param seed integer
---@return { seed: integer, graph: table, history: table[] }
function case.make(seed)
  math.randomseed(seed)
  local c = { seed = seed, graph = graph.new(), history = { run_op() } }
  for _ = 1, math.random(3, 7) do
    for _ = 1, pick({ 0, 1, 1, 1, 2, 3 }) do
      c.history[#c.history + 1] = chance(2) and edits.aimed(c.graph) or edits.random()
    end
    for _, op in ipairs({ happening(c.graph) }) do c.history[#c.history + 1] = op end
    c.history[#c.history + 1] = run_op()
  end
  return c
end

---------------------------------------------------------------------------
-- checking

local function same(a, b)
  return a and b and a.text == b.text and a.link == b.link and (a.exec or false) == (b.exec or false)
end

local function show(f)
  if not f then return "nothing" end
  return f.link and "-> " .. f.link or ("%s%q"):format(f.exec and "x " or "", f.text:sub(1, 60))
end

-- What people wrote in the place of an output is theirs, and stays, unless the step makes a
-- file of that name.
local function is_by_hand(w, path)
  local f = w.by_hand[path] and worlds.file_at(w.dir .. "/" .. path)
  return f and f.text == w.by_hand[path]
end

local function by_hand(w)
  local out = {}
  for path in pairs(w.by_hand) do
    if is_by_hand(w, path) then out[path] = worlds.file_at(w.dir .. "/" .. path) end
  end
  return out
end

local function strays(w, want)
  local out = {}
  for prefix in pairs(want.dirs) do
    local dir = prefix:match("^(.*/)")
    for path, f in pairs(worlds.walk(w.dir .. "/" .. dir:sub(1, -2), dir, {})) do
      if path:sub(1, #prefix) == prefix and not want.made[path] then out[path] = f end
    end
  end
  return out
end

-- What a run must have left. When it is lost what steps left last time, files of those steps
-- are like anyone's: those that lie there may stay, and then count.
local function tell(w)
  local function told_with(guests)
    return model.tell(w.g, w:sources(), w.env, w:values(), guests)
  end
  local want = told_with(by_hand(w))
  return w.lost and told_with(strays(w, want)) or want
end

-- Where last time's are lost, what a step writes into keeps its mode or its link.
local function check_outputs(w, want)
  for path, f in pairs(want.made) do
    local have = worlds.file_at(w.dir .. "/" .. path)
    if w.lost and have then have.exec = f.exec end
    if w.lost and have and f.link and have.link then have.link = f.link end
    if not same(have, f) and not (f.temp and not have) then
      fail("%s is %s, not %s", path, show(have), show(f))
    end
  end
  for path in pairs(w.lost and {} or strays(w, want)) do
    if not is_by_hand(w, path) then fail("%s should not be there", path) end
  end
end

-- Steps among whose outputs something is that people put there: they are not remembered.
local function guests(w, want)
  local out = {}
  for prefix, id in pairs(want.dirs) do
    for path in pairs(w.by_hand) do
      if path:sub(1, #prefix) == prefix and is_by_hand(w, path) then out[id] = true end
    end
  end
  return out
end

-- May a step run although it ran before under the same circumstances?
local function always(step) return step.cache == false or step.id == "up" or step.ttl == "1ms" end

-- The n-th step, of those there are.
local function step_of(w, n) return w.g.steps[n % #w.g.steps + 1] end

-- Every journal is whole; returns what was executed, by id, and of what it was said that its
-- result is not remembered: an input changed while it ran, or it wrote into what was there.
local function executed(w)
  local out, unkept = {}, {}
  for _, events in ipairs(w:new_journals()) do
    local last = events[#events]
    if not last or last.ev ~= "run_finished" then fail("a journal has no end") end
    for _, ev in ipairs(events) do
      if ev.ev == "step_started" and ev.kind ~= "workflow" then
        out[ev.id] = ev.reason or "no reason is given"
        unkept[ev.id] = out[ev.id]:find("is not known", 1, true) and true
      elseif ev.ev == "step_finished" and (ev.reason or ""):find("; not remembered: ", 1, true) then
        unkept[ev.id] = true
      elseif ev.ev == "message" and ev.id and ev.text:find("changed while it ran", 1, true) then
        unkept[ev.id] = true
      end
    end
  end
  return out, unkept
end

local function check_work(w, want, ran, unkept, op)
  local remembers = not op.flag or op.flag == "--json"
  local forced = op.force and step_of(w, op.force).id
  local hosts = guests(w, want)
  -- What lies in a directory is the step's from its next run on, and then removed: a new result.
  local settled = not w.lost and not w.hosted and next(hosts) == nil
  w.hosted = next(hosts) ~= nil
  for id, unit in pairs(want.units) do
    local known = unit.sig and w.seen[unit.sig] and not hosts[unit.step.id]
    local own = unit.step.id == forced and not id:find("/", 1, true)
    if own and not ran[id] and (unit.status == "ok" or unit.status == "failed") then
      fail("%s did not run although it was forced", id)
    end
    if ran[id] and known and remembers and not own and not always(unit.step) and settled
      and not ran[id]:find("is not known", 1, true) then
      fail("%s ran again without a reason (%s)", id, ran[id])
    end
    if unit.step.ttl == "1ms" and unit.status == "ok" and not ran[id] and not op.flag then
      fail("%s did not run although its result has expired", id)
    end
    if ran[id] and unit.status == "skipped" then fail("%s should not run: its when", id) end
  end
  for id, unit in pairs(want.units) do
    if unit.status == "ok" and remembers and not unkept[id] and not hosts[unit.step.id]
      and (ran[id] or not w.pruned) then
      w.seen[unit.sig] = true
    end
  end
end

-- After a run that made everything, and left nothing else, Orrery knows again what is its own.
local function found_again(w, want)
  for path, f in pairs(want.made) do
    if not same(worlds.file_at(w.dir .. "/" .. path), f) then return end
  end
  for _, unit in pairs(want.units) do
    if unit.status ~= "ok" then return end
  end
  for path in pairs(worlds.walk(w.dir .. "/out", "out/", {})) do
    if not want.made[path] and not path:find("/deps$") then return end
  end
  w.lost = false
end

local function flags_of(w, op)
  local out = { "run", "w", "-k", "-j" .. (op.jobs or 1) }
  if op.flag then out[#out + 1] = op.flag end
  if op.force then out[#out + 1] = "--force=" .. step_of(w, op.force).id end
  if op.target and w.g.form ~= "body" then table.insert(out, 3, step_of(w, op.target).id) end
  if op.only then out[#out + 1] = "--only" end
  return out
end

-- A step with all that it needs, by id.
local function with_needs(g, id, into)
  into[id] = true
  for _, step in ipairs(g.steps) do
    for _, up in ipairs(step.id == id and text.blockers(step) or {}) do
      if not into[up] then with_needs(g, up, into) end
    end
  end
  return into
end

-- What is left of a telling when only some steps are run.
local function part_of(want, chosen)
  local out = { made = {}, dirs = {}, units = {} }
  for path, f in pairs(want.made) do out.made[path] = chosen[f.step] and f end
  for prefix, id in pairs(want.dirs) do out.dirs[prefix] = chosen[id] and id end
  for id, unit in pairs(want.units) do
    if chosen[unit.step.id] then
      out.units[id] = unit
      out.failed = out.failed or unit.status == "failed"
      out.refused = out.refused or unit.refused
    end
  end
  return out
end

-- What this run is to make of all.
local function asked(w, op)
  local want = tell(w)
  if not op.target or w.g.form == "body" then return want end
  local id = step_of(w, op.target).id
  return part_of(want, op.only and { [id] = true } or with_needs(w.g, id, {}))
end

local function told(r) return ("exit %d\n%s%s"):format(r.code, r.stdout, r.stderr) end

local function check_code(r, want)
  local code = want.refused and 4 or want.failed and 1 or 0
  if r.code ~= code then fail("exit code %d, expected %d\n%s", r.code, code, told(r)) end
end

local function checked(w, op)
  local env = { ORRERY_NO_PLAN = op.no_plan and "1" or false }
  local r = w:exec(w:words(flags_of(w, op)), env)
  w.said = told(r)
  local want = asked(w, op)
  check_code(r, want)
  check_outputs(w, want)
  local ran, unkept = executed(w)
  check_work(w, want, ran, unkept, op)
  if w.lost and not op.target then found_again(w, want) end
  return ran, want
end

-- The verdicts of a plan, by id; a plan changes nothing.
local function plan_of(w)
  local r = w:exec(w:words({ "plan", "w", "--json" }))
  local doc = r.code == 0 and json.decode(r.stdout)
  if not doc then fail("plan: %s", told(r)) end
  local out = {}
  for _, e in ipairs(doc.steps) do out[e.id] = e.verdict end
  return out
end

local function check_plan(verdicts, ran, want)
  for id, unit in pairs(want.units) do
    local verdict = verdicts[id]
    local blocked = unit.status == "blocked"
    if verdict == "run" and not ran[id] and not blocked or verdict == "hit" and ran[id] then
      fail("plan said %s of %s, which %s", verdict, id, ran[id] and "ran" or "did not run")
    end
  end
end

local play = {}

function play.run(w, op)
  local verdicts = op.plan and not (op.flag or op.force or op.target) and plan_of(w)
  local ran, want = checked(w, op)
  if verdicts then check_plan(verdicts, ran, want) end
  if op.again then checked(w, { jobs = op.jobs }) end
end

-- May this step be run by itself: all it takes from others lies on the disk?
local function stands_alone(w, step)
  for _, r in ipairs(step.reads) do
    if r[1] == "val" then return false end
  end
  for _, id in ipairs(text.blockers(step)) do
    for _, up in ipairs(w.g.steps) do
      if up.id == id and (up.temp or up.when) then return false end
    end
  end
  return not (step.fan and step.fan.from)
end

-- A source that a step reads by way of another one.
local function far_source(w, step)
  for _, id in ipairs(text.blockers(step)) do
    for _, up in ipairs(w.g.steps) do
      for _, r in ipairs(up.id == id and up.reads or {}) do
        if r[1] == "in" and r[2]:find("^src/") then return r[2] end
      end
    end
  end
end

-- A step alone, changed after all was made; and once more, when what it needs has changed.
function play.only(w, op)
  local step, alone = step_of(w, op[2]), { target = op[2], only = true }
  if w.g.form == "body" or w.lost or not stands_alone(w, step) then return end
  local _, want = checked(w, {})
  if want.failed then return end
  edits.retag(w, op[2])
  checked(w, alone)
  local path = far_source(w, step)
  if not path then return end
  edits.write(w, path, op[3])
  _, want = checked(w, {})
  if not want.failed then checked(w, alone) end
end

-- Nothing is left running, whoever was killed.
local function all_gone(w, patience)
  local l = loop.current("property")
  for _ = 1, patience * 100 do
    if #w:processes() == 0 then return end
    loop.await(l.loop.core:timer(0.01))
  end
  fail("left running: %s", table.concat(w:processes(), "; "))
end

function play.disturb(w, op)
  local a = op[5]
  w.before = w:sources()[a]
  local b = op[4] == "rename" and w.dir .. "/" .. op[6] or op[6]
  local what = table.concat({ op[2], op[3], op[4], w.dir .. "/" .. a, b }, "|")
  w.said = told(w:exec(w:words(flags_of(w, op)), { MIX_DO = what }))
  executed(w)
end

function play.kill(w, op)
  local what = table.concat({ op[2], op[3], "kill", op[4], "" }, "|")
  w.lost = true
  w.said = told(w:exec(w:words(flags_of(w, op)), { MIX_DO = what }))
  all_gone(w, 10)
  for _, id in ipairs(fs.list(w.dir .. "/.orrery/runs") or {}) do w.runs[id] = true end
end

local function both(w, other)
  local orrery = table.concat(w:words({ "run", "w", "-k", "-j2" }), " ")
  local line = ("%s >one 2>&1 & p=$!; %s >two 2>&1; b=$?; wait $p; a=$?; cat one two; rm one two; "
    .. "[ $a = $b ] && exit $a; exit $((100 + a + b))"):format(orrery, other or orrery)
  return w:exec({ "sh", "-c", line })
end

-- In each second workflow one of them makes everything anew, while the other reads it.
function play.two(w)
  local forced = #w.g.steps % 2 == 0
  local r = both(w, forced and table.concat(w:words({ "run", "w", "-k", "-j2", "--force" }), " "))
  w.said = told(r)
  local want = tell(w)
  check_code(r, want)
  check_outputs(w, want)
  executed(w)
end

function play.beside(w, op)
  w:forget()
  local how = op[2] == "prune" and "prune --max-size=1K" or "clear"
  w.said = told(both(w, w.place.orrery .. " cache " .. how))
  check_outputs(w, tell(w))
  executed(w)
end

-- The same sources somewhere else, sharing the cache.
function play.worktree(w)
  local other = worlds.new(w.g, w.place, "/other")
  for _, dir in ipairs({ "src", "bin" }) do
    fs.remove_tree(other.dir .. "/" .. dir)
    w:exec({ "cp", "-R", w.dir .. "/" .. dir, other.dir .. "/" .. dir })
  end
  if fs.stat(w.dir .. "/.env") then w:exec({ "cp", w.dir .. "/.env", other.dir .. "/.env" }) end
  other.env, other.params, other.pruned = w.env, w.params, w.pruned
  other.lost = w.lost -- what ran into leftovers is in the cache as it came out
  other.seen = w.pruned and {} or w.seen
  for _ = 1, 2 do
    local ok, why = pcall(checked, other, { jobs = 2 })
    w.said = other.said
    if not ok then error(why, 0) end
  end
  fs.remove_tree(other.dir)
end

local function operate(w, op)
  if play[op[1]] then return play[op[1]](w, op) end
  edits[op[1]](w, table.unpack(op, 2))
end

local function copy(v)
  if type(v) ~= "table" then return v end
  local out = {}
  for k, x in pairs(v) do out[k] = copy(x) end
  return out
end

case.copy = copy

--- Plays a case in a folder that is empty, and empties it again.
---@param c table
---@param place { base: string, orrery: string, tools: string }
---@return string? why it failed
---@return integer runs how many runs were checked
---@return integer? at the operation
function case.play(c, place)
  local w, runs, at = worlds.new(copy(c.graph), place), 0, 0
  local ok, why = pcall(function()
    for i, op in ipairs(c.history) do
      at = i
      operate(w, op)
      if play[op[1]] then runs = runs + 1 end
    end
  end)
  fs.remove_tree(place.base)
  if ok then return nil, runs end
  if type(why) == "table" and why.property then why = why.property .. "\n" .. (w.said or "") end
  return tostring(why), runs, at
end

---------------------------------------------------------------------------
-- telling

local function words(op)
  local out = {}
  for i, v in ipairs(op) do out[i] = type(v) == "string" and ("%q"):format(v) or tostring(v) end
  for _, k in ipairs({ "jobs", "flag", "force", "target", "no_plan", "again", "plan" }) do
    if op[k] then out[#out + 1] = ("%s=%s"):format(k, tostring(op[k])) end
  end
  return (table.concat(out, " "):gsub("\\\n", "\\n"))
end

--- A case as people read it.
---@param c table
---@return string
function case.transcript(c)
  local out = {}
  for path, f in pairs(c.graph.sources) do
    out[#out + 1] = ("%s: %s"):format(path, show(f))
  end
  table.sort(out)
  for path, bytes in pairs(text.files(c.graph)) do
    out[#out + 1] = ("--- %s\n%s"):format(path, bytes)
  end
  for i, op in ipairs(c.history) do out[#out + 1] = ("%d. %s"):format(i, words(op)) end
  return table.concat(out, "\n")
end

return case

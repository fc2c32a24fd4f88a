-- orrery explain [WORKFLOW] [STEP…]: why a step ran, and what a run would do with it now.
local args = require("orrery.face.args")
local color = require("orrery.face.color")
local config = require("orrery.model.config")
local errors = require("orrery.kernel.errors")
local fs = require("orrery.core.fs")
local json = require("orrery.core.json")
local load = require("orrery.model.load")
local pack = require("orrery.core.pack")
local past = require("orrery.face.past")
local reasons = require("orrery.face.show.reasons")
local runs = require("orrery.run.records.runs")
local tally = require("orrery.face.show.tally")
local target = require("orrery.face.target")

local explain = {}

explain.usage = "orrery explain [WORKFLOW] [STEP…]"
explain.about = [[
Says why steps ran in the last run (or in --run), or why they did not, down to the first
change that is not itself a result; and what a run would do with them now, and why. STEP is
an id, a group, a member such as test[linux], or a glob. Without STEP: all that were, or are,
not up to date. --against compares a step, as it is now or as it was in --run, with what it
was made from in another run.]]
explain.flags = { "run", "against", "param", "json" }
explain.examples = { { "orrery explain build", "why build ran, and whether it would run now" },
  { "orrery explain 'test*' --json", "all reasons of several steps, as one document" },
  { "orrery explain build --against 7f3c", "what is different since that run" } }

---------------------------------------------------------------------------
-- which run, which workflow

-- How many runs are looked through for the last one that had a step.
local DEEP = 20

local function names_workflow(word, root, conf)
  return word ~= nil and (word:find("^%.?%.?/") ~= nil or word:find("%.lua$") ~= nil
    or word:find("%.ya?ml$") ~= nil or load.find(word, root, conf) ~= nil)
end

local function started(run)
  local e = run and run.events[1]
  return e and e.ev == "run_started" and e or nil
end

-- The newest run, of that workflow when one is given.
local function newest(root, workflow)
  for i, id in ipairs(runs.ids(root)) do
    if i > DEEP then return nil end
    local ok, run = pcall(past.open, root, id)
    local e = ok and started(run)
    if e and (not workflow or e.workflow == workflow) then return run end
  end
end

local function with_state(run)
  if run then run.state = tally.of(run.events, { dir = run.dir, texts = true }) end
  return run
end

-- The workflow of a run as it is now, with that run's params.
local function load_again(c, run, root, conf)
  local e = started(run)
  local st = e and e.file and fs.stat(e.file)
  if not st or st.type ~= "file" then return nil end
  local params = {}
  for k, v in pairs(e.params or {}) do params[k] = v end
  for k, v in pairs(args.pairs(c.opts.param, "-p")) do params[k] = v end
  return load.file(e.file, { root = e.root or root, config = conf, params = params })
end

-- The run that is looked back at, the workflow as it is now, and the words for steps.
local function sources(c)
  local root, conf = target.root()
  if names_workflow(c.words[1], root, conf) then
    local wf, steps, own = target.need(c.words, args.pairs(c.opts.param, "-p"), {})
    local run = c.opts.run and past.open(wf.root, c.opts.run) or newest(wf.root, wf.name)
    return { root = wf.root, wf = wf, conf = own, words = steps, run = with_state(run) }
  end
  local run
  if c.opts.run then run = past.open(root, c.opts.run) else run = newest(root) end
  local at = { root = root, conf = config.load(root), words = c.words, run = with_state(run) }
  local ok, wf = pcall(load_again, c, run, root, at.conf)
  if not ok then at.trouble = errors.text(wf) else at.wf = wf end
  if not run and not at.wf then
    at.wf, at.words, at.conf = target.need(c.words, args.pairs(c.opts.param, "-p"), {})
  end
  return at
end

---------------------------------------------------------------------------
-- now

local function look(c, at, ids)
  local e = started(at.run)
  local options = { config = at.conf, args = e and e.args, targets = ids }
  local other = c.opts.against and past.id(at.root, c.opts.against)
  at.now, at.other, at.compared = {}, other, {}
  require("orrery.run.engine").plan(at.wf, options, function(entries, scopes)
    for i, entry in ipairs(entries) do at.now[i], at.now[entry.id] = entry, entry end
    if not other then return end
    local against = require("orrery.run.against")
    for _, entry in ipairs(entries) do
      local list, note
      if c.opts.run then
        list, note = against.between(scopes[""], entry.id, at.run.id, other)
      else
        list, note = against.now(scopes, entry.id, other)
      end
      at.compared[entry.id] = { run = other, reasons = list, note = note }
    end
  end)
end

-- Steps that a word may mean in the graph; nil: all, for it may be known from the run only.
local function targets_of(wf, words)
  local out = {}
  for _, word in ipairs(words) do
    local base = word:match("^(.-)%[.*%]$")
    if wf.body or not (wf.by_id[word] or wf.by_id[base or ""]) then return nil end
    out[#out + 1] = word
  end
  return #out > 0 and out or nil
end

---------------------------------------------------------------------------
-- which steps

local function known_ids(at)
  local out, seen = {}, {}
  local function add(id)
    if not seen[id] then
      seen[id] = true
      out[#out + 1] = id
    end
  end
  for _, e in ipairs(at.now or {}) do add(e.id) end
  for _, s in ipairs(at.run and tally.all(at.run.state) or {}) do
    if s.status ~= "not started" or not at.wf then add(s.id) end
  end
  return out, seen
end

local function is_under(wf, id, group)
  local unit = wf and wf.by_id[id:match("^(.-)%[.*%]$") or id]
  if unit and unit.member_of == group then return true end
  local g = unit and (unit.group or unit.parent)
  while g do
    if g.id == group then return true end
    g = g.group or g.parent
  end
  return id:sub(1, #group + 1) == group .. "["
end

local function matching(at, word, ids, seen)
  if seen[word] then return { word } end
  local out = {}
  local pattern = word:find("[%*%?]") and require("orrery.run.graph.selection").pattern(word)
  for _, id in ipairs(ids) do
    if pattern and id:find(pattern) or not pattern and is_under(at.wf, id, word) then
      out[#out + 1] = id
    end
  end
  if #out > 0 then return out end
  errors.raise("usage", ("there is no step '%s' in %s"):format(word, at.wf and at.wf.name
    or "the last run"), { exit = 2, hint = require("orrery.kernel.nearest").hint(word, seen)
    or "its steps are: " .. require("orrery.face.words").some(ids, 12) })
end

local function is_news(at, id)
  local e = at.now and at.now[id]
  local s = at.before[id]
  return s and s.cached ~= "clean" and s.status ~= "not started"
    or e and (e.verdict ~= "hit" or e.restore)
end

local function chosen(at)
  local ids, seen = known_ids(at)
  local out, taken = {}, {}
  if #at.words == 0 then
    for _, id in ipairs(ids) do
      if is_news(at, id) then out[#out + 1] = id end
    end
    return out
  end
  for _, word in ipairs(at.words) do
    for _, id in ipairs(matching(at, word, ids, seen)) do
      if not taken[id] then out[#out + 1] = id end
      taken[id] = true
    end
  end
  return out
end

---------------------------------------------------------------------------

local function document(at, ids)
  local out = pack.array({})
  for i, id in ipairs(ids) do
    local s = at.before[id]
    out[i] = { id = id, status = s and s.status, cached = s and s.cached,
      why = s and reasons.past(s), reasons = s and s.reasons, now = at.now and at.now[id],
      against = at.compared and at.compared[id] }
  end
  return { run = at.run and at.run.id, workflow = at.wf and at.wf.name, steps = out,
    trouble = at.trouble }
end

--- Prints the reasons.
---@param c table the invocation
---@return integer
function explain.main(c)
  local at = sources(c)
  at.before = {}
  for _, s in ipairs(at.run and tally.all(at.run.state) or {}) do at.before[s.id] = s end
  if at.wf then look(c, at, targets_of(at.wf, at.words)) end
  local ids = chosen(at)
  if c.opts.json then
    c.out(json.encode(document(at, ids), { lossy = true, indent = 2 }) .. "\n")
    return 0
  end
  local paint = color.painter(c.opts.color, 1)
  for _, id in ipairs(ids) do reasons.print(c.out, paint, at, id) end
  if #ids == 0 then c.out("everything was, and is, up to date\n") end
  if at.trouble then
    c.err("orrery: what a run would do now cannot be said: " .. at.trouble .. "\n")
  end
  return 0
end

return explain

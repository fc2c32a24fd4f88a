-- orrery approve|reject [RUN] [STEP]: what a person says to a question of a run.
local errors = require("orrery.kernel.errors")
local nearest = require("orrery.kernel.nearest")
local runs = require("orrery.run.records.runs")
local target = require("orrery.face.target")
local waiting = require("orrery.run.records.waiting")
local words = require("orrery.face.words")

local approve = {}

approve.usage = "orrery approve [RUN] [STEP]"
approve.about = [[
Approves what a run waits for; orrery resume then goes on with it. Without RUN it is the one
run that waits, without STEP its one open question. The decision is bound to what the step
needs: should that change, it is asked again.]]
approve.flags = { "by", "reason" }
approve.examples = { { "orrery approve", "the one open question" },
  { "orrery approve 7f3c ship --by maria --reason 'plan read'", "of that run" } }

local function open_ones(run)
  local out = {}
  for _, q in ipairs(run.questions) do
    if not q.decision and not waiting.is_over(q) then out[#out + 1] = q end
  end
  return out
end

local function ids_of(questions)
  local out = {}
  for i, q in ipairs(questions) do out[i] = q.id end
  return out
end

local function waits(open)
  return #open == 0 and "nothing waits there any more"
    or "what waits: " .. words.some(ids_of(open), 8)
end

-- The runs that wait and that nobody went on with.
local function waiting_runs(root)
  local out = {}
  for _, s in ipairs(runs.list(root)) do
    if s.status == "waiting" and runs.tip(root, s.id) == s.id then out[#out + 1] = s.id end
  end
  return out
end

local function the_run(root, verb)
  local ids = waiting_runs(root)
  if #ids == 1 then return waiting.open(root, ids[1]) end
  errors.raise("usage", #ids == 0 and "no run waits for an approval"
    or ("%d runs wait: %s"):format(#ids, table.concat(ids, ", ")),
    { hint = #ids > 0 and ("name one: orrery %s RUN STEP"):format(verb) or nil })
end

local function the_question(run, id, verb)
  local open = open_ones(run)
  if id == nil then
    if #open == 1 then return open[1] end
    errors.raise("usage", #open == 0 and ("run %s has no open question"):format(run.id)
      or ("%d steps of run %s wait: %s"):format(#open, run.id, table.concat(ids_of(open), ", ")),
      { exit = #open == 0 and 5 or 2, hint = #open > 0
      and ("name one: orrery %s %s STEP"):format(verb, run.id)
      or ("orrery resume %s goes on with it"):format(run.id) })
  end
  local found
  for _, q in ipairs(run.questions) do
    if q.id == id and not (found and found.decision == nil) then found = q end
  end
  if found then return found end
  for _, e in ipairs(run.events) do
    if e.id == id and (e.ev == "step_finished" or e.ev == "step_skipped") then
      errors.raise("state", ("step '%s' of run %s does not wait for an approval"):format(id,
        run.id), { exit = 5, hint = waits(open) })
    end
  end
  errors.raise("usage", ("run %s has no step '%s'"):format(run.id, id),
    { hint = nearest.hint(id, ids_of(open)) or waits(open) })
end

local function asks(ids, root, step)
  for _, id in ipairs(ids) do
    for _, q in ipairs(waiting.open(root, id).questions) do
      if q.id == step then return true end
    end
  end
  return false
end

-- One word is a step of the run that waits, or else a run.
local function find(c, root)
  local first, second = c.words[1], c.words[2]
  if second then
    local run = waiting.open(root, first)
    return run, the_question(run, second, c.name)
  end
  if first and (asks(waiting_runs(root), root, first) or not runs.find(root, first)) then
    local run = the_run(root, c.name)
    return run, the_question(run, first, c.name)
  end
  local run = first and waiting.open(root, first) or the_run(root, c.name)
  return run, the_question(run, nil, c.name)
end

local function me()
  return os.getenv("USER") or os.getenv("LOGNAME") or "somebody"
end

--- Writes a verdict down.
---@param c table the invocation
---@param verdict "approved"|"rejected"
---@return integer
function approve.decide(c, verdict)
  if #c.words > 2 then errors.raise("usage", c.name .. " takes a run and a step, no more") end
  local run, q = find(c, target.root())
  waiting.decide(run, q, { verdict = verdict, by = c.opts.by or me(), reason = c.opts.reason })
  c.out(("%s %s of run %s: %s\n"):format(verdict, q.id, run.id, words.brief(q.question, 200)))
  local more = open_ones(run)
  if #more > 0 then
    c.out(("still waiting: %s\n"):format(words.some(ids_of(more), 8)))
  else
    c.out(("orrery resume %s goes on with it\n"):format(run.id))
  end
  return 0
end

--- Approves.
---@param c table the invocation
---@return integer
function approve.main(c) return approve.decide(c, "approved") end

return approve

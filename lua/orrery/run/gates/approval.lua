-- Questions to a person: whether a step may go on (approve), whether what an agent made
-- shall count (needs_approval, a refused gate), whether a step shall be tried again.
--
--   decided in an earlier run of the chain, or -y --> the answer
--   a terminal (opts.ask) -------------------------> asked now
--   nobody there ----------------------------------> the step waits, exit 8
--
-- A question is bound to the step's key, which holds the digests of what the step needs:
-- when these change, an earlier answer does not count and it is asked anew.
local decisions = require("orrery.run.records.decisions")
local errors = require("orrery.kernel.errors")
local lazy = require("orrery.kernel.lazy")
local memo = lazy("orrery.run.memo")
local outcome = require("orrery.run.memo.outcome")
local selection = require("orrery.run.graph.selection")
local sys = require("orrery.core.sys")

local approval = {}

local function id_of(run, step) return run.prefix .. step.id end

-- Does -y answer this question? A refused gate wants to be named.
local function by_flag(run, step, q)
  local yes = run.opts.yes
  if not yes or q.purpose == "retry" then return nil end
  if yes == true then return not q.named and { verdict = "approved", by = "-y" } or nil end
  for _, glob in ipairs(yes) do
    if glob == id_of(run, step) or id_of(run, step):find(selection.pattern(glob)) then
      return { verdict = "approved", by = "-y=" .. glob }
    end
  end
end

-- The answer of an earlier run of the chain, and when it was first asked.
local function of_the_past(run, step, job)
  if job.forced then return nil end
  local past = run.calls and run.calls.questions
  if not past then return nil end
  local name = decisions.name(id_of(run, step), job.base)
  local asked = past.asked[name]
  if not asked and past.steps[id_of(run, step)] then
    run.journal:emit({ ev = "message", level = "warning", id = step.id, text = ("%s: what it "
      .. "needs is not what it was when it was asked; it is asked again"):format(step.id) })
  end
  return past.decided[name], asked
end

local function emit_decided(run, step, job, d)
  run.journal:emit({ ev = "approval_decided", id = step.id, key = job.base, verdict = d.verdict,
    by = d.by, reason = d.reason, wall = d.wall or sys.wall() })
end

local function lasts(q, asked_at)
  return q.timeout and asked_at + q.timeout or nil
end

-- What the journal keeps of a question; with what was made already, so that it need not be
-- made again.
local function announce(run, step, job, q, wall)
  local came = q.came or {}
  local ev = { ev = "approval_asked", id = step.id, kind = step.kind, key = job.base,
    occurrence = job.occurrence, question = q.question, show = q.show, purpose = q.purpose,
    wall = wall, ends = lasts(q, wall), stdout = came.stdout, stderr = came.stderr,
    exit = came.exit, value = came.value, outputs = q.came and outcome.files(came.facts) }
  run.journal:emit(ev)
end

local function on_terminal(run, step, q, ends)
  local left = ends and math.max(0, ends - sys.wall()) or nil
  local answer, by = run.opts.ask(run, { id = id_of(run, step), question = q.question,
    show = q.show, timeout = left })
  if answer == nil then return nil end
  return { verdict = answer and "approved" or "rejected", by = by, wall = sys.wall() }
end

local function expired(q)
  return { class = "approval", message = ("nobody answered \"%s\" within %s"):format(q.question,
    require("orrery.time").format(q.timeout)), hint = "orrery resume --force=STEP asks again" }
end

local function refused(step, d)
  return { class = "approval", message = ("rejected by %s%s"):format(d.by or "somebody",
    d.reason and ": " .. d.reason or ""),
    hint = ("orrery resume --force=%s asks again"):format(step.id) }
end

--- Asks, or finds the answer. Raises code "waiting" when nobody is there to give one.
---@param run orrery.Run
---@param step orrery.Step
---@param job table with its key
---@param q orrery.Question
---@return table? err class "approval"; nil: it is approved
---@return orrery.Decision? decision
function approval.ask(run, step, job, q)
  local decided, asked
  if not q.fresh then decided, asked = of_the_past(run, step, job) end
  decided = decided or by_flag(run, step, q)
  local wall = asked and asked.wall or sys.wall()
  local ends = lasts(q, wall)
  if not decided then
    if ends and sys.wall() >= ends then return expired(q) end
    announce(run, step, job, q, wall)
    run.journal:flush(true)
    if run.opts.ask then decided = on_terminal(run, step, q, ends) end
    if not decided and ends and sys.wall() >= ends then return expired(q) end
  end
  if not decided then
    errors.raise("waiting", step.id .. " waits for an approval", { class = "waiting",
      usage = q.came and q.came.usage })
  end
  emit_decided(run, step, job, decided)
  if decided.verdict == "approved" then return nil, decided end
  return refused(step, decided)
end

---------------------------------------------------------------------------
-- what was made and waits

-- The question that a step of the resumed run left open, other than approve steps.
local function open_question(run, step, job)
  if job.forced or step.kind == "approve" then return nil end
  local past = run.calls and run.calls.questions
  local asked = past and past.asked[decisions.name(id_of(run, step), job.base)]
  if asked and asked.purpose ~= "answer" then return asked end
end

--- Before a step runs: is there a question about it from the resumed run? Then what was made
--- counts once that is approved, and is not made again.
---@param run orrery.Run
---@param step orrery.Step
---@param job table
---@param put_back fun(past: orrery.Result): table? the outputs in place; nil: they are lost
---@return table? came what it came to; nil: the step has to run
function approval.before(run, step, job, put_back)
  local asked = open_question(run, step, job)
  if not asked then return nil end
  local past = asked.read()
  local facts = asked.purpose == "result" and put_back(past)
  if asked.purpose == "result" and not facts then return nil end
  local came = { facts = facts or {}, value = past.value, exit = past.exit,
    stdout = past.stdout, stderr = past.stderr }
  local err = approval.ask(run, step, job, { question = asked.question, show = asked.show,
    purpose = asked.purpose, timeout = job.timeout_of_question, came = facts and came })
  if not err and asked.purpose == "retry" then return nil end
  came.error = err
  return came
end

--- What an agent made and wants a person to look at. In the attempt, before it counts.
---@param run orrery.Run
---@param step orrery.Step
---@param job table
---@param came table with asks
---@return table? err
function approval.of_result(run, step, job, came)
  return (approval.ask(run, step, job, { question = came.asks, purpose = "result",
    came = came, show = outcome.paths(step, came.facts, job), fresh = true }))
end

-- Gates say what is not good enough; there is something to look at.
local JUDGED = { schema = true, gate = true }

--- A failure that the workflow wants a person to decide about. Approved, a refused result
--- counts as it is; anything else is tried again.
---@param run orrery.Run
---@param step orrery.Step
---@param job table
---@param came table with its error
---@return "accepted"|"again"|nil what nil: the failure stands, came.error says why
function approval.escalate(run, step, job, came)
  local why = came.error.message
  local q = { purpose = "retry", fresh = true,
    question = ("%s failed: %s. Try it again?"):format(step.id, why) }
  if JUDGED[came.error.class] then
    came.facts = memo.collect(run, step, job.outputs)
    q = { purpose = "result", fresh = true, came = came, named = true,
      show = outcome.paths(step, came.facts, job),
      question = ("%s was refused: %s. Take it as it is?"):format(step.id, why) }
  elseif run.opts.yes == true then
    return nil
  end
  local err = approval.ask(run, step, job, q)
  if err then
    err.message = ("%s (%s)"):format(err.message, why)
    came.error = err
    return nil
  end
  return q.purpose == "result" and "accepted" or "again"
end

--- Is this error value the one of a step that waits?
---@param err any
---@return boolean
function approval.is_waiting(err)
  return type(err) == "table" and err.code == "waiting"
end

--- The result of a step that waits, journaled.
---@param run orrery.Run
---@param step orrery.Step
---@param err table
---@return orrery.Result
function approval.waits(run, step, err)
  run.journal:emit({ ev = "step_skipped", id = step.id, why = "waiting", usage = err.usage })
  return { ok = false, status = "skipped", why = "waiting", waiting = true, outputs = {},
    seconds = 0, attempts = 1, usage = err.usage }
end

return approval

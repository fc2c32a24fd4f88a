-- The end of a run in words: counts, times, true savings, what failed and what to do.
local errors = require("orrery.kernel.errors")
local tally = require("orrery.face.show.tally")
local usage = require("orrery.run.records.usage")
local words = require("orrery.face.words")

local report = {}

local TAIL = 20

local function place_of(err)
  local p = err and err.place
  if not p or not p.file then return "" end
  return p.line and ("%s:%d: "):format(p.file, p.line) or p.file .. ": "
end

--- The last lines of a text, and how many are above them.
---@param text string
---@param n integer
---@return string[] lines
---@return integer above
function report.tail(text, n)
  local lines = {}
  for l in text:gsub("%s+$", ""):gmatch("([^\n]*)\n?") do lines[#lines + 1] = l end
  if lines[#lines] == "" then lines[#lines] = nil end
  local from = math.max(1, #lines - n + 1)
  return table.move(lines, from, #lines, 1, {}), from - 1
end

local function add_tail(out, s, step)
  local lines, above = report.tail(tally.text(s, step), TAIL)
  if above > 0 then
    out[#out + 1] = ("  | … %s above: orrery log %s"):format(words.count(above, "line"), step.id)
  end
  for _, l in ipairs(lines) do out[#out + 1] = "  | " .. l end
end

-- Ids of steps that did not run, by the failure they name; "" for none.
local function skipped_by(s)
  local by = {}
  for _, id in ipairs(s.order) do
    local step = s.steps[id]
    local told = step.why == "when" or step.why == "filtered"
      or (step.why == "waiting" and not step.cause)
    if step.status == "skipped" and not told then
      local key = step.cause or ""
      by[key] = by[key] or {}
      table.insert(by[key], id)
    end
  end
  return by
end

local function text_of(step)
  local err = step.error or {}
  return errors.text(err.message or (step.exit and "exit " .. step.exit) or "failed")
end

-- Does a step fail only by what one within it said, which has a line of its own?
local function passed_on(s, step)
  local inner, text = text_of(step):match("^(%S+): (.*)$")
  local within = inner and s.steps[inner]
  return within and within.status == "failed" and text_of(within) == text
end

-- What a message says below its first line, how to mend it, is said once.
local function once(told, text)
  local first, more = text:match("^([^\n]*)\n(.*)$")
  if not first then return text end
  local again = told[more]
  told[more] = true
  return again and first or text
end

-- A failure that a policy made up for, in a run that went well, is no error.
local function one_failure(out, s, step, opts, told)
  local err, text = step.error or {}, once(told, text_of(step))
  local tries = (step.attempts or 1) > 1 and (" (%d attempts)"):format(step.attempts) or ""
  local forgiven = s.finished and s.finished.code == 0
  out[#out + 1] = ("%s%s %s: %s%s"):format(place_of(err),
    forgiven and opts.paint("yellow", "warning:") or opts.paint("red", "error:"), step.id, text,
    tries)
  if not (opts.shown and opts.shown[step.id]) then add_tail(out, s, step) end
  if err.class == "internal" and err.traceback then
    out[#out + 1] = "  " .. err.traceback:gsub("\n", "\n  ")
  end
  if err.hint then out[#out + 1] = "  note: " .. err.hint end
end

local function run_errors(out, s, opts)
  for _, err in ipairs(s.finished and s.finished.errors or {}) do
    local step = err.id and s.steps[err.id]
    if not step or step.status ~= "failed" then
      out[#out + 1] = ("%s%s %s"):format(place_of(err), opts.paint("red", "error:"),
        errors.text(err.message or err.text or err))
      if err.hint then out[#out + 1] = "  note: " .. err.hint end
    end
  end
end

--- The failed steps: for each a line with place and reason, the end of its output unless it
--- was just shown, a hint, and what it kept from running. Then failures of the run itself.
---@param s table a tally
---@param opts { paint: function, shown?: table<string, true> }
---@return string[] lines
function report.failures(s, opts)
  local out, by, told = {}, skipped_by(s), {}
  for _, step in ipairs(tally.failed(s)) do
    if not passed_on(s, step) then one_failure(out, s, step, opts, told) end
    if by[step.id] then
      out[#out + 1] = "  skipped because of it: " .. words.some(by[step.id], 8)
      by[step.id] = nil
    end
  end
  run_errors(out, s, opts)
  if by[""] then out[#out + 1] = "not started: " .. words.some(by[""], 8) end
  by[""] = nil
  for cause, ids in require("orrery.kernel.sorted").pairs(by) do
    local waits = s.steps[ids[1]].why == "waiting"
    out[#out + 1] = (waits and "waiting for %s: %s" or "skipped because of %s: %s"):format(cause,
      words.some(ids, 8))
  end
  return out
end

local function counted(s)
  local c, out = s.counts, {}
  local left = s.finished and math.max(0, s.total - s.done) or 0
  local function add(n, text)
    if n > 0 then out[#out + 1] = ("%d %s"):format(n, text) end
  end
  add(c.clean, "up to date")
  add(c.hit, "restored")
  add(c.ran, "ran")
  add(c.failed, "failed")
  add(c.allowed, "failed but allowed to")
  add(c.waiting, "waiting")
  add(c.skipped, "skipped")
  add(c.cancelled, "cancelled")
  add(left, "not started")
  return out
end

local function path_text(path)
  if #path <= 5 then return table.concat(path, " → ") end
  return ("%s → %s → … %d more … → %s"):format(path[1], path[2], #path - 3, path[#path])
end

-- Wall, work and what running side by side saved: never a made-up number.
local function times(f)
  local text = words.seconds(f.wall) .. " wall"
  if f.work and f.work > 0 then
    text = text .. (", %s of work"):format(words.seconds(f.work))
    if f.saved and f.saved >= 0.05 then
      text = text .. (", saved %s"):format(words.seconds(f.saved))
    end
  end
  return text
end

-- watch begins anew by itself.
local function interrupted(s)
  return s.finished.restarting and "interrupted by a change"
    or "interrupted: orrery resume goes on with it"
end

-- The open questions, and the commands to type.
local function waiting(s)
  local out, id = { "waiting for an approval:" }, s.run and s.run.run or "RUN"
  for step, q in require("orrery.kernel.sorted").pairs(s.questions) do
    out[#out + 1] = ("  %s: %s"):format(step, words.brief(q.question, 200))
    out[#out + 1] = ("    orrery approve %s %s    (or: orrery reject %s %s)"):format(id, step, id,
      step)
  end
  out[#out + 1] = ("  then: orrery resume %s"):format(id)
  return table.concat(out, "\n")
end

local endings = { interrupted = interrupted, waiting = waiting }

local function counts_of(s)
  local f = s.finished
  local steps = math.max(s.done, s.total)
  if steps == 0 then
    return ("%s · %s"):format(f.status == "ok" and "nothing to do" or "nothing ran",
      words.seconds(f.wall))
  end
  if s.counts.clean == steps then
    return ("%s: everything up to date · %s"):format(words.count(steps, "step"),
      words.seconds(f.wall))
  end
  local parts = { words.count(steps, "step") .. ": " .. table.concat(counted(s), ", "), times(f) }
  local critical = f.critical
  if critical and critical.path and #critical.path > 1 and critical.seconds > 0 then
    parts[#parts + 1] = ("critical path %s (%s)"):format(path_text(critical.path),
      words.seconds(critical.seconds))
  end
  local text = table.concat(parts, " · ")
  return endings[f.status] and endings[f.status](s) .. "\n" .. text or text
end

local function amounts(u)
  local out = { words.count(u.calls, "agent call") }
  local tokens = usage.tokens(u)
  if tokens then out[2] = words.tokens(tokens) end
  if u.cost_usd then out[#out + 1] = words.money(u.cost_usd) end
  return table.concat(out, " · ")
end

-- What agents used, and what answers that were there already saved. Empty without agents.
local function used(s)
  local u = s.usage
  if not u then return "" end
  local saved = u.saved and "saved " .. amounts(u.saved)
  if u.calls == 0 then return saved and "\n" .. saved or "" end
  return "\n" .. amounts(u) .. (saved and " (" .. saved .. ")" or "")
end

--- The last lines of a run: counts, times, critical path, what agents used.
---@param s table a tally with its run_finished
---@return string
function report.summary(s) return counts_of(s) .. used(s) end

return report

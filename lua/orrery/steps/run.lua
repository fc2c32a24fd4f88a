-- The kind `run`: a command. Simple ones are executed directly, others by a shell.
local errors = require("orrery.kernel.errors")
local json = require("orrery.core.json")
local loop = require("orrery.kernel.loop")
local proc = require("orrery.core.proc")
local template = require("orrery.model.template")
local time = require("orrery.kernel.lazy")("orrery.time")

local run = {}

-- The argv for a shell command line.
local function shell_argv(shell, text)
  if shell == nil or shell == "sh" then return { "/bin/sh", "-e", "-c", text } end
  if shell == "bash" then return { "bash", "-eo", "pipefail", "-c", text } end
  if type(shell) == "string" then return { shell, "-c", text } end
  local argv = table.move(shell, 1, #shell, 1, {})
  argv[#argv + 1] = text
  return argv
end

--- What the step would execute.
---@param step orrery.Step
---@param ctx table
---@return string[] argv
---@return string shown the command as people wrote it, rendered
---@return boolean direct executed without a shell
function run.command(step, ctx)
  if type(step.action) == "table" then
    local argv = template.argv(step.action, ctx)
    local shown = {}
    for i, w in ipairs(argv) do shown[i] = proc.quote(w) end
    return argv, table.concat(shown, " "), true
  end
  local text = template.render(step.action, ctx, "shell")
  if step.shell == nil then
    local argv = proc.split(text)
    if argv and #argv > 0 then return argv, text, true end
  end
  return shell_argv(step.shell, text), text, false
end

--- The parts of the key that belong to a command.
---@param step orrery.Step
---@param ctx table
---@return table parts
---@return table prepared for execute
function run.prepare(_, step, ctx)
  local argv, shown, direct = run.command(step, ctx)
  local parts = { command = direct and argv or shown, parse = step.parse }
  if not direct then parts.shell = step.shell or "sh" end
  return parts, { argv = argv, shown = shown, direct = direct,
    program = direct and argv[1] or nil }
end

local function trimmed(text) return (text:gsub("\n+$", "")) end

local function lines_of(text)
  local out = {}
  for line in (trimmed(text) .. "\n"):gmatch("(.-)\n") do out[#out + 1] = line end
  if #out == 1 and out[1] == "" then out[1] = nil end
  return out
end

-- stdout as the step's value; nil and a message when it cannot be.
local function parse(how, text)
  if how == "text" then return trimmed(text) end
  if how == "lines" then return lines_of(text) end
  local v, why = json.decode(text, { name = "stdout" })
  if v == nil and why then
    return nil, ("stdout is not JSON: %s"):format(why.message)
  end
  return v
end

local function why_not_started(argv, err)
  local code = (err.code == "EACCES" or err.code == "ENOEXEC") and 126 or 127
  return { exit = code, stdout = "", stderr = "", error = { class = "exit:" .. code,
    message = ("%s (exit %d)"):format(err.message, code) }, argv = argv }
end

local function failure(step, event)
  if event.timed_out then
    return { class = "timeout", message = ("timed out after %s"):format(
      step.timeout and time.format(step.timeout) or "its timeout") }
  end
  if event.signal then
    return { class = "signal:" .. event.signal,
      message = ("killed by signal %s (exit %d)"):format(event.signal, event.code) }
  end
  local hint = ""
  if event.code == 127 then
    hint = ": a command was not found; is it installed and on PATH?"
  elseif event.code == 126 then
    hint = ": a file was found but could not be executed; is its execute bit set?"
  end
  return { class = "exit:" .. event.code, message = ("exit %d%s"):format(event.code, hint) }
end

local function outcome_of(step, event)
  local out = { exit = event.code, signal = event.signal, stdout = event.stdout or "",
    stderr = event.stderr or "", truncated = event.truncated, cpu = event.cpu, rss = event.rss }
  if event.left and event.left > 0 then
    out.note = ("left %d process%s running; ended"):format(event.left,
      event.left == 1 and "" or "es")
  end
  if event.killed and not event.timed_out then
    out.error = { class = "cancelled", message = "cancelled" }
  elseif event.code ~= 0 or event.timed_out then
    out.error = failure(step, event)
  elseif step.parse then
    local v, why = parse(step.parse, out.stdout)
    if why then out.error = { class = "parse", message = why } else out.value = v end
  end
  return out
end

--- Executes; suspends until the command ended.
---@param r orrery.Run
---@param step orrery.Step
---@param prepared table from prepare
---@param job { env: string[], cwd: string, timeout?: number, stdin?: string, attempt: integer }
---@return table outcome exit, signal, stdout, stderr, value, cpu, rss, note, error
function run.execute(r, step, prepared, job)
  local live = r.live and not step.tty
  local event, why = loop.child({
    argv = prepared.argv, file = prepared.file, env = job.env, cwd = job.cwd, timeout = job.timeout,
    stdin = step.tty and "inherit" or job.stdin, tty = step.tty or nil,
    output = step.tty and "inherit" or "capture", live = live or nil,
    tag = ("%s/%s/%d"):format(r.id, step.id, job.attempt),
  }, live and function(stream, data) r.live((r.prefix or "") .. step.id, stream, data) end or nil)
  if not event then
    if not errors.is(why) then error(why, 0) end
    return why_not_started(prepared.argv, why)
  end
  return outcome_of(step, event)
end

return run

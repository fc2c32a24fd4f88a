-- orrery repl: an interactive prompt on the same engine.
local commands = require("orrery.face.repl.commands")
local complete = require("orrery.face.repl.complete")
local errors = require("orrery.kernel.errors")
local history = require("orrery.face.repl.history")
local pretty = require("orrery.face.repl.pretty")
local session = require("orrery.face.repl.session")
local term = require("orrery.core.term")

local repl = {}

repl.usage = "orrery repl [--run RUN]"
repl.about = [[
Reads Lua, evaluates it, prints the values. The primitives are there (o, fs, git, cache …),
what is assigned stays, and colon commands (:run, :plan, :help) do what the command line
does. With --run, a finished run is at hand as `run`. Input from a pipe works too.]]
repl.flags = { "run" }
repl.examples = { { "orrery repl", "a prompt" }, { "orrery repl --run last", "with the last run" },
  { "echo 'o.load(\"site\").doc' | orrery repl", "without a terminal" } }

local function print_values(r, values)
  for i = 1, values.n do r.out(pretty.value(values[i]) .. "\n") end
end

local function print_error(r, e)
  r.failed, r.last_error = true, errors.is(e) and e or { traceback = tostring(e) }
  if errors.is(e) and e.code == "interrupted" then
    r.err("interrupted\n")
    return
  end
  local text = errors.text(e)
  if not errors.is(e) or e.code == "internal" then text = text:match("^[^\n]*") end
  local hint = errors.is(e) and e.hint and "\n  " .. e.hint or ""
  r.err((text:find("error: ", 1, true) and "" or "error: ") .. text .. hint .. "\n")
end

-- One entry: a colon command, or Lua. True when it needs more lines.
local function perform(r, text)
  local command = text:match("^%s*:(%a.*)$")
  if command then
    local ok, e = xpcall(commands.perform, function(e)
      return errors.is(e) and e or errors.new("internal", tostring(e),
        { traceback = debug.traceback(nil, 2) })
    end, r, command)
    if not ok then
      if e.code == "pipe" then error(e, 0) end
      print_error(r, e)
    end
    return false
  end
  if not text:find("%S") then return false end
  local how, got = r.session:eval((text:gsub("^%s*=", "")))
  if how == "incomplete" then return true, got end
  if how == "ok" then print_values(r, got) else print_error(r, got) end
  return false
end

-- Reads entries of one or more lines until there are no more.
local function read_all(r, read)
  local pending
  while not r.over do
    local text, why = read(pending ~= nil)
    if text then
      pending = pending and pending .. "\n" .. text or text
      local more, syntax = perform(r, pending)
      r.unfinished = more and syntax or nil
      if not more then pending = nil end
    elseif why == "interrupt" then
      pending = nil
    else
      break
    end
  end
  if r.unfinished then print_error(r, errors.new("syntax", r.unfinished)) end
end

local function from_terminal(r)
  local past = history.open(history.path())
  local names = commands.names()
  local line <close> = assert(term.line_new({ complete = function(text, pos)
    return complete.at(r.session.env, names, text, pos)
  end }))
  for _, text in ipairs(past.lines) do line:remember(text) end
  r.out("orrery " .. require("orrery.core.sys").version .. ", Lua 5.4; :help says more\n")
  read_all(r, function(more)
    local text, why = line:read(more and ">> " or "> ")
    if text and past:add(text) then line:remember(text) end
    if text == nil and why == nil then r.out("\n") end
    return text, why
  end)
end

-- "run 7f3c failed: report (call, workflows/stats.lua:31): attempt to index a nil value"
local function say_run(r, run)
  local f = run.state.finished
  local lines = {}
  for i, step in ipairs(require("orrery.face.show.tally").failed(run.state)) do
    local err = step.error or {}
    local p = err.place or {}
    lines[i] = ("%s (%s%s): %s"):format(step.id, step.kind or "?", p.file and (", %s%s"):format(
      p.file, p.line and ":" .. p.line or "") or "", errors.text(err.message or "failed"))
  end
  r.out(("run %s %s%s%s\n"):format(run.id, f and f.status or "did not finish",
    #lines > 0 and ": " or "", table.concat(lines, "\n  ")))
end

-- The run, and the workflow it ran as it is now.
local function open_run(r, name)
  local run = require("orrery.face.past").here(name)
  rawset(r.session.env, "run", require("orrery").open_run(run.id, { root = run.root }))
  say_run(r, run)
  local e = run.state.run or {}
  r.config = require("orrery.model.config").load(run.root)
  local ok, wf = pcall(require("orrery.model.load").file, e.file, { root = run.root,
    config = r.config, params = e.params })
  r.workflow = ok and wf or nil
  if not ok then r.err("its workflow cannot be loaded: " .. errors.text(wf) .. "\n") end
end

--- Runs the prompt.
---@param c table the invocation
---@return integer
function repl.main(c)
  local s <close> = session.new()
  local r = { session = s, out = c.out, err = c.err, try = c.try }
  r.cli = function(words)
    words[0] = "orrery"
    return require("orrery.face.main")(words, { out = c.out, err = c.err, try = c.try })
  end
  if c.opts.run then open_run(r, c.opts.run) end
  if term.is_tty(0) and term.is_tty(1) then
    from_terminal(r)
    return 0
  end
  term.end_with_stdout()
  read_all(r, function() return (io.read("l")) end)
  return r.failed and 1 or 0
end

return repl

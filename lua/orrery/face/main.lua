-- The command line's entry: argv in, exit code out.
local errors = require("orrery.kernel.errors")
local streams = require("orrery.face.streams")

-- Exit codes of errors that end a command (DESIGN section 6).
local codes = { usage = 2, invalid = 3, state = 5, budget = 6, pipe = 141, interrupted = 130 }

local function env(name)
  return os.getenv(name) or ""
end

-- "file:line: error: text" stays as it is; anything else says whose error it is.
local function explain(e)
  if e.code == "invalid" and e.messages then return errors.text(e) .. "\n" end
  local text = errors.text(e)
  if not text:find("^[^\n]-:%d+: error: ") then text = "orrery: error: " .. text end
  return text .. (e.hint and "\n  " .. e.hint or "") .. "\n"
end

local function internal(e, s)
  local first = tostring(e):match("^[^\n]*")
  s.err("orrery: internal error: " .. first .. "\n  This is a fault in Orrery, not in your "
    .. "workflow. Please report it with the command line and `orrery version`;\n"
    .. "  ORRERY_TRACE=1 shows where it happened.\n")
  if env("ORRERY_TRACE") ~= "" then s.err(tostring(e) .. "\n") end
  return 7
end

local function complain(e, s)
  if not errors.is(e) then return internal(e, s) end
  if e.code == "pipe" then return codes.pipe end
  if e.code == "internal" then return internal(e.traceback or errors.text(e), s) end
  s.err(explain(e))
  if env("ORRERY_TRACE") ~= "" and e.traceback then s.err(e.traceback .. "\n") end
  return e.exit or codes[e.code] or 1
end

local function handler(e)
  if errors.is(e) then return e end
  return debug.traceback(tostring(e), 2)
end

local function unknown(name)
  local commands = require("orrery.face.commands")
  local guess = require("orrery.kernel.nearest").find(name, commands.names())
  errors.raise("usage", ("there is no command '%s'"):format(name),
    { hint = guess and ("did you mean 'orrery %s'?"):format(guess)
      or "orrery help lists them" })
end

local function enter(dirs)
  for _, dir in ipairs(dirs or {}) do
    local ok, why = require("orrery.core.proc").chdir(dir)
    if not ok then errors.raise("usage", errors.text(why)) end
  end
end

-- A command of commands: the one meant, what it is called, and where its words begin.
local function beneath(command, argv, at)
  local name = argv[at + 1]
  if not name or name:sub(1, 1) == "-" then
    return require("orrery.face.cmd.help"), argv[at], #argv, { argv[at] }
  end
  local sub = command.get(name)
  if not sub then
    local names = {}
    for i, s in ipairs(command.subs) do names[i] = s[1] end
    errors.raise("usage", ("%s has no command '%s'"):format(argv[at], name), {
      hint = require("orrery.kernel.nearest").hint(name, names)
        or ("orrery help %s lists them"):format(argv[at]) })
  end
  return sub, argv[at] .. " " .. name, at + 1
end

-- What a command is given: its flags and words, and ways to speak.
local function invocation(name, opts, words, rest, s)
  return { name = name, opts = opts, words = words, rest = rest, out = s.out, err = s.err,
    try = s.try }
end

local function dispatch(argv, s)
  if argv[1] == "version" or argv[1] == "--version" then
    return require("orrery.face.cmd.version").main(invocation("version", {}, {}, nil, s))
  end
  local args = require("orrery.face.args")
  local flags = require("orrery.face.flags")
  local before, at = args.leading(argv, flags.set({}))
  local name = argv[at]
  if before.help or name == nil then name = "help" end
  if name == "--version" then name = "version" end
  local command = require("orrery.face.commands").get(name)
  if not command then unknown(name) end
  local given
  if command.subs then command, name, at, given = beneath(command, argv, at) end
  if given then return command.main(invocation("help", {}, given, nil, s)) end
  if command.raw then
    enter(before.directory)
    return command.raw(invocation(name, before, table.move(argv, at + 1, #argv, 1, {}), nil, s))
  end
  local opts, words, rest = args.parse(argv, at + 1, flags.set(command.flags or {}), name)
  if opts.help then
    local of = {}
    for word in name:gmatch("%S+") do of[#of + 1] = word end
    return require("orrery.face.cmd.help").main(invocation("help", {}, of, nil, s))
  end
  enter(before.directory)
  enter(opts.directory)
  opts.color = opts.color or before.color
  local c = invocation(name, opts, words, rest, s)
  c.argv = table.move(argv, 1, #argv, 1, {})
  local code = command.main(c)
  return argv[at] == nil and not before.help and 2 or code, command.closes
end

--- Runs one command line.
---@param argv string[] argv[0] is the program
---@param s? table streams, for tests
---@return integer exit code
---@return boolean? closed all is closed: the state need not be taken down for that
local function main(argv, s)
  s = s or streams.new()
  local ok, code, closed = xpcall(dispatch, handler, argv, s)
  if not ok then return complain(code, s) end
  if s.trouble and (code or 0) == 0 then
    return complain(errors.new("output", "standard output: " .. s.trouble), s)
  end
  return code or 0, closed
end

return main

-- The command line's entry: argv in, exit code out.
local args = require("orrery.face.args")
local errors = require("orrery.kernel.errors")
local nearest = require("orrery.kernel.nearest")
local term = require("orrery.core.term")

-- Commands and the modules that hold them, loaded when called.
local commands = {
  run = "orrery.face.cmd.run",
  lua = "orrery.face.cmd.lua",
  version = "orrery.face.cmd.version",
}

local codes = { usage = 2, invalid = 3, state = 5, budget = 6 }

local function write(fd, text) term.write(fd, text) end

local function complain(e)
  if errors.is(e) then
    local hint = e.hint and "\n  " .. e.hint or ""
    local text = errors.text(e)
    write(2, (e.messages and "" or "orrery: error: ") .. text .. hint .. "\n")
    return codes[e.code] or 1
  end
  write(2, "orrery: internal error: " .. tostring(e) .. "\n")
  return 7
end

local function find(name)
  if name == "--version" then name = "version" end
  if commands[name] then return require(commands[name]) end
  local guess = nearest.find(name or "", commands)
  errors.raise("usage", name and ("unknown command '%s'"):format(name) or "no command given",
    { hint = guess and ("did you mean 'orrery %s'?"):format(guess) or "orrery help lists them" })
end

local function handler(e)
  if errors.is(e) then return e end
  return debug.traceback(tostring(e), 2)
end

--- Runs one command line.
---@param argv string[] argv[0] is the program
---@return integer exit code
local function main(argv)
  local ok, code = xpcall(function()
    local command = find(argv[1])
    if command.raw then return command.raw(argv, write) end
    local opts, words, rest = args.parse(argv, 2)
    return command.main(opts, words, rest, write)
  end, handler)
  if ok then return code or 0 end
  return complain(code)
end

return main

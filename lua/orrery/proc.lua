-- Commands from a script: run one and look at what it came to. Only inside a task: a script
-- run by `orrery lua`, the REPL. In a workflow a step's `run` is the way: it is remembered.
local check = require("orrery.kernel.check")
local core = require("orrery.core.proc")
local errors = require("orrery.kernel.errors")
local loop = require("orrery.kernel.loop")
local sorted = require("orrery.kernel.sorted")
local sys = require("orrery.core.sys")
local time = require("orrery.time")

local proc = {}

---@class orrery.Exit
---@field ok boolean        the exit code is 0
---@field code integer      128+N when signal N ended it
---@field signal? string    "KILL" …
---@field timed_out boolean
---@field stdout string
---@field stderr string     empty with output = "merge"
---@field seconds number
---@field cpu number        user and system time
---@field rss integer       peak memory in bytes

local RUN = { cwd = "string", env = "table", stdin = "string", timeout = "number|string",
  output = "=capture|=merge|=inherit", check = "boolean" }

local function words_of(cmd)
  if type(cmd) == "string" and cmd:find("%S") then
    return core.split(cmd) or { "/bin/sh", "-e", "-c", cmd }
  end
  if type(cmd) ~= "table" or cmd[1] == nil then
    errors.raise("usage", "proc.run needs a command: a text, or a list of words")
  end
  local argv = {}
  for i, word in ipairs(cmd) do
    if type(word) ~= "string" and type(word) ~= "number" then
      errors.raise("usage", ("proc.run: word %d is a %s"):format(i, type(word)))
    end
    argv[i] = tostring(word)
  end
  return argv
end

-- This process's environment with changes; false takes a name out.
local function environment(changes)
  if not changes then return nil end
  local all = sys.environ()
  for name, v in pairs(changes) do all[name] = v ~= false and tostring(v) or nil end
  local list = {}
  for name, v in sorted.pairs(all) do list[#list + 1] = name .. "=" .. v end
  return list
end

local function refuse(cmd, exit)
  local shown = type(cmd) == "string" and cmd or proc.line(cmd)
  local why = exit.timed_out and "timed out" or ("exit %d"):format(exit.code)
  local last = exit.stderr:match("([^\n]+)\n*$")
  errors.raise("exit", ("%s: %s%s"):format(shown, why, last and ": " .. last or ""),
    { exit_code = exit.code, result = exit })
end

--- Runs a command to its end; its whole process tree ends with the task. A text is a command
--- line, a list is executed as it is. Raises when it cannot be started; a bad exit is a value
--- unless check = true.
---
---     proc.run({ "git", "status", "-s" }, { cwd = "lib" }).stdout
---     proc.run("make -j4", { check = true, timeout = "10m" })
---@param cmd string|string[]
---@param opts? { cwd?: string, env?: table<string, string|false>, stdin?: string,
---  timeout?: number|string, output?: "capture"|"merge"|"inherit", check?: boolean }
---@return orrery.Exit
function proc.run(cmd, opts)
  opts = check.options(opts, RUN, "proc.run")
  loop.current("proc.run")
  local argv, timeout = words_of(cmd), opts.timeout
  if type(timeout) == "string" then timeout = time.parse(timeout) end
  if opts.output == "inherit" then io.stdout:flush() end
  local event, why = loop.child({ argv = argv, cwd = opts.cwd, env = environment(opts.env),
    stdin = opts.stdin, timeout = timeout, output = opts.output or "capture" })
  if not event then error(why, 0) end
  local exit = { ok = event.code == 0 and not event.timed_out, code = event.code,
    signal = event.signal, timed_out = event.timed_out or false, stdout = event.stdout or "",
    stderr = event.stderr or "", seconds = event.wall, cpu = event.cpu, rss = event.rss }
  if opts.check and not exit.ok then refuse(cmd, exit) end
  return exit
end

--- The words of a simple command line; nil when it needs a shell.
---
---     proc.split("cc -c a.c") --> { "cc", "-c", "a.c" }
---@param line string
---@return string[]?
function proc.split(line) return core.split(line) end

--- Where a program is; nil when it is nowhere on PATH.
---
---     proc.which("cc") --> "/usr/bin/cc"
---@param name string
---@return string?
function proc.which(name) return core.which(name) end

--- A text as one word of a shell command line.
---
---     proc.quote("it's") --> "'it'\\''s'"
---@param word string
---@return string
function proc.quote(word) return core.quote(word) end

--- Words as a shell command line.
---
---     proc.line({ "echo", "a b" }) --> "echo 'a b'"
---@param argv string[]
---@return string
function proc.line(argv)
  local out = {}
  for i, word in ipairs(argv) do out[i] = core.quote(tostring(word)) end
  return table.concat(out, " ")
end

return proc

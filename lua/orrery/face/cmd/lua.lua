-- orrery lua SCRIPT [ARGS]: runs a script with the primitives.
local errors = require("orrery.kernel.errors")

local lua = {}

lua.usage = "orrery lua SCRIPT [ARGS…]"
lua.about = [[
Runs a Lua script with Orrery's primitives: require("orrery"), require("orrery.fs") and the
rest. A first line that begins with #! is fine; "-" reads the script from standard input.
The script runs inside a task, so it may wait: loop.await, pool results, children.]]
lua.examples = { { "orrery lua count.lua src", "arg[1] is src" },
  { "orrery lua /usr/bin/busted tests/lua", "a test runner, with the primitives" } }

local function load_script(path)
  if path == "-" then return load(io.read("a"), "=stdin", "t") end
  return loadfile(path, "t")
end

-- "file:line: text" as the compiler and error() write it, with the word that says so.
local function located(text)
  local place, rest = text:match("^([^\n]-:%d+): (.*)$")
  return place and ("%s: error: %s"):format(place, rest) or text
end

local function handler(e)
  if errors.is(e) then
    if e.traceback == nil then rawset(e, "traceback", debug.traceback(errors.text(e), 2)) end
    return e
  end
  return errors.new("script", located(tostring(e)), { traceback = debug.traceback(nil, 2) })
end

local function run_task(fn)
  local ok, loops = pcall(require, "orrery.kernel.loop")
  if not ok then return xpcall(fn, handler) end
  local loop <close> = loops.new()
  local task = loop:task("script", function() return table.pack(xpcall(fn, handler)) end)
  return table.unpack(loop:run(task), 1, 2)
end

--- Runs a script; flags after its name are the script's.
---@param c table the invocation; its words are all that follows "lua"
---@return integer
function lua.raw(c)
  local path = c.words[1]
  if path == "--help" or path == "-h" then
    return require("orrery.face.cmd.help").main({ words = { "lua" }, out = c.out })
  end
  if not path then
    errors.raise("usage", "lua needs a script: orrery lua FILE [ARGS…]")
  end
  require("orrery.core.term").end_with_stdout()
  local chunk, why = load_script(path)
  if not chunk then errors.raise("script", located(why)) end
  arg = table.move(c.words, 2, #c.words, 1, { [0] = path, [-1] = "orrery" })
  local ok, e = run_task(function() return chunk(table.unpack(arg)) end)
  io.stdout:flush()
  if not ok then error(e, 0) end
  return math.type(e) == "integer" and e & 255 or 0
end

return lua

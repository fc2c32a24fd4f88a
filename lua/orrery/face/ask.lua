-- Asking on the terminal: what is to be seen, the question, and a line of an answer. While a
-- question stands, the displays hold back what they would write; questions come one by one.
local fs = require("orrery.core.fs")
local loop = require("orrery.kernel.loop")
local term = require("orrery.core.term")
local words = require("orrery.face.words")

local ask = {}

-- So many lines of a file are shown.
local LINES = 100
-- And no more of it is read.
local MOST = 256 * 1024

-- What a file holds must not move the cursor, nor clear the screen, of who is to judge it.
local function printable(text)
  return (text:gsub("[%c\127]", function(c)
    return (c == "\n" or c == "\t") and c or ("\\x%02x"):format(c:byte())
  end))
end

--- A file as it is shown with a question.
---@param root string
---@param path string
---@return string
function ask.file(root, path)
  local full = fs.at(root, path)
  local st = fs.stat(full)
  if st and st.type == "dir" then return ("--- %s: a directory\n"):format(path) end
  local text = fs.read(full, MOST)
  if not text then return ("--- %s: cannot be read\n"):format(path) end
  if text:find("\0", 1, true) then
    return ("--- %s: %d bytes, not text\n"):format(path, st.size)
  end
  local out, n = { ("--- %s\n"):format(printable(path)) }, 0
  for line in text:gmatch("[^\n]*\n?") do
    if line == "" then break end
    n = n + 1
    if n > LINES then break end
    out[#out + 1] = printable(line:sub(-1) == "\n" and line or line .. "\n")
  end
  if n > LINES or st.size > MOST then
    out[#out + 1] = ("--- … there is more of %s (%s)\n"):format(path, words.bytes(st.size))
  end
  return table.concat(out)
end

local function meaning(line)
  local word = line:lower():match("^%s*(%a*)")
  return word == "y" or word == "yes"
end

-- Waits for a line; nil when input has ended or the time is over.
local function read_line(run, seconds)
  local id, why = run.loop.core:readable(0)
  if not id then error(why, 0) end
  local _ <close> = setmetatable({}, { __close = function() run.loop.core:forget(id) end })
  if not loop.await(id, seconds) then return nil end
  return io.read("l")
end

local function user() return os.getenv("USER") or os.getenv("LOGNAME") or "the terminal" end

--- Something that asks for the displays of a command line; nil when no terminal is there.
---@param displays orrery.Displays
---@param write fun(text: string)
---@param fd integer where progress goes
---@return (fun(run: orrery.Run, q: table): boolean?, string?)?
function ask.on(displays, write, fd)
  if not term.is_tty(0) or not term.is_tty(fd) then return nil end
  local line = {}
  io.stdin:setvbuf("no")
  return function(run, q)
    while line.busy do loop.await(line.busy) end
    line.busy = loop.signal()
    local _ <close> = setmetatable({}, { __close = function()
      local waiters = line.busy
      line.busy = nil
      waiters:set(true)
      displays:release()
    end })
    displays:hold()
    for _, path in ipairs(q.show or {}) do write(ask.file(run.root, path)) end
    write(("%s: %s [y/N] "):format(q.id, printable(q.question)))
    local answer = read_line(run, q.timeout)
    if answer == nil then write("\n") end
    if answer == nil then return nil end
    return meaning(answer), user()
  end
end

return ask

-- A command-line test is one value: files, arguments, and what must come out. The real
-- binary runs in a fresh folder, with a clean environment and no terminal.
--
--   local cli = require("tests.cli.harness")
--   it("greets", cli.run { files = { ["workflows/a.lua"] = "…" }, args = "run a", code = 0,
--     stdout = "hello" })
local harness = {}

local function quote(s) return "'" .. tostring(s):gsub("'", "'\\''") .. "'" end

harness.quote = quote

local function sh(cmd)
  local p <close> = assert(io.popen(cmd, "r"))
  return p:read("a")
end

--- The binary under test: $ORRERY, else build/orrery of the current folder.
---@return string
function harness.binary()
  local path = os.getenv("ORRERY") or "build/orrery"
  if path:sub(1, 1) ~= "/" then path = sh("pwd"):gsub("\n$", "") .. "/" .. path end
  return path
end

--- The Lua tree that the binary was made of, as ORRERY_LUA_DIR takes it: then modules are loaded
--- when they are required, and the binary's own loaded ones (core/host/image) are not used.
---@return string
function harness.lua_dir()
  return harness.binary():match("^(.*)/[^/]*/[^/]*$") .. "/lua"
end

--- Reads a file whole; nil when it is not there.
---@param path string
---@return string?
function harness.read(path)
  local f <close> = io.open(path, "rb")
  return f and f:read("a")
end

--- Writes a file, making its parents.
---@param path string
---@param text string
function harness.write(path, text)
  os.execute("mkdir -p " .. quote(path:match("^(.*)/") or "."))
  local f <close> = assert(io.open(path, "wb"))
  f:write(text)
end

--- A fresh folder with files in it; remove it with harness.remove (or see harness.within).
---@param files? table<string, string> path → text; a text of "#!…" is made executable
---@return string dir
function harness.folder(files)
  local dir = sh("mktemp -d"):gsub("\n$", "")
  for path, text in pairs(files or {}) do
    harness.write(dir .. "/" .. path, text)
    if text:sub(1, 2) == "#!" then os.execute("chmod +x " .. quote(dir .. "/" .. path)) end
  end
  return dir
end

--- Removes a folder of harness.folder.
function harness.remove(dir)
  assert(dir:match("^/tmp/") or dir:match("/tmp%."), "not a temporary folder: " .. dir)
  os.execute("chmod -R u+rwX " .. quote(dir) .. " 2>/dev/null; rm -rf " .. quote(dir))
end

--- Calls fn with a fresh folder for each table of files, and removes them whatever comes of it.
---   cli.within(function(fast, slow) … end, files, files)
---@param fn fun(...: string): any
---@param ... table<string, string> as for harness.folder
---@return any what fn returns
function harness.within(fn, ...)
  local dirs = {}
  for i = 1, select("#", ...) do dirs[i] = harness.folder((select(i, ...))) end
  local ok, value = pcall(fn, table.unpack(dirs))
  for _, dir in ipairs(dirs) do harness.remove(dir) end
  if not ok then error(value, 0) end
  return value
end

local function env_words(env)
  local words = { "env", "-i", "PATH=" .. quote(os.getenv("PATH") or "/usr/bin:/bin"),
    "HOME=" .. quote(os.getenv("HOME") or "/"), "TERM=dumb" }
  for _, name in ipairs({ "ORRERY_LUA_DIR", "ASAN_OPTIONS", "UBSAN_OPTIONS", "TSAN_OPTIONS",
    "LSAN_OPTIONS" }) do
    local v = os.getenv(name)
    if v then words[#words + 1] = name .. "=" .. quote(v) end
  end
  for k, v in pairs(env or {}) do words[#words + 1] = k .. "=" .. quote(v) end
  return table.concat(words, " ")
end

--- Runs the binary once.
---@param dir string working folder
---@param args string as a shell would take them
---@param opts? { env?: table<string, string>, stdin?: string, shell?: string } shell: a whole
---  command line instead, with $orrery for the binary
---@return { code: integer, stdout: string, stderr: string }
function harness.exec(dir, args, opts)
  opts = opts or {}
  local tmp = sh("mktemp -d"):gsub("\n$", "")
  local stdin = "/dev/null"
  if opts.stdin then
    stdin = tmp .. "/in"
    harness.write(stdin, opts.stdin)
  end
  local bin = harness.binary()
  local command = opts.shell and ("sh -c " .. quote(opts.shell)) or (quote(bin) .. " " .. args)
  local line = ("cd %s && %s orrery=%s %s >%s 2>%s <%s"):format(quote(dir), env_words(opts.env),
    quote(bin), command, quote(tmp .. "/out"), quote(tmp .. "/err"), quote(stdin))
  local _, how, code = os.execute(line)
  local r = { code = how == "signal" and 128 + code or code, stdout = harness.read(tmp .. "/out"),
    stderr = harness.read(tmp .. "/err") }
  os.execute("rm -rf " .. quote(tmp))
  return r
end

local function expect(r, what, want)
  if want == nil then return end
  local have = r[what]
  for _, w in ipairs(type(want) == "table" and want or { want }) do
    local negative = w:sub(1, 1) == "!" and w:sub(2)
    local found = have:find(negative or w, 1, true) ~= nil
    if found == (negative ~= false and negative ~= nil) then
      error(("%s %s %q\n--- stdout\n%s--- stderr\n%s--- code %d"):format(what,
        negative and "should not have" or "lacks", negative or w, r.stdout, r.stderr, r.code), 0)
    end
  end
end

--- A workflow file around a list of steps.
---@param steps string what is in the workflow, as Lua; its first line is the file's third
---@param before? string statements above it
---@return string
function harness.workflow(steps, before)
  return ('local o = require("orrery")\n%sreturn o.workflow "w" {\n%s\n}\n'):format(
    before and before .. "\n" or "", steps)
end

--- Checks an outcome: code equals; stdout and stderr contain each text (a text that begins
--- with "!" must be absent).
---@param r table from harness.exec
---@param want { code?: integer, stdout?: string|string[], stderr?: string|string[] }
function harness.check(r, want)
  if r.code ~= (want.code or 0) then
    error(("exit %d, expected %d\n--- stdout\n%s--- stderr\n%s"):format(r.code, want.code or 0,
      r.stdout, r.stderr), 0)
  end
  expect(r, "stdout", want.stdout)
  expect(r, "stderr", want.stderr)
end

--- A test as one value; returns a function for busted's `it`.
---@param t { files?: table, args?: string, shell?: string, env?: table, stdin?: string,
---  code?: integer, stdout?: any, stderr?: any, after?: fun(dir: string, r: table),
---  again?: table }  again: a further run in the same folder, a value like this one
function harness.run(t)
  return function()
    harness.within(function(dir)
      local one = t
      while one do
        for path, text in pairs(one ~= t and one.files or {}) do
          harness.write(dir .. "/" .. path, text)
        end
        local r = harness.exec(dir, one.args or "", one)
        harness.check(r, one)
        if one.after then one.after(dir, r) end
        one = one.again
      end
    end, t.files or {})
  end
end

return harness

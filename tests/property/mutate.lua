-- Makes mistakes in the program on purpose, one at a time, and tells which case finds each:
--
--   build/orrery lua tests/property/mutate.lua [COUNT [NAME…]]
--
-- in a copy of the source tree, which is built for each (some seconds) and then plays the cases
-- from seed 1 on until one fails. Ends 1 when a mistake is not found by COUNT cases (2000).
local fs = require("orrery.core.fs")
local proc = require("orrery.proc")
local sys = require("orrery.core.sys")

local count = tonumber(arg[1]) or 2000
local wanted = {}
for i = 2, #arg do wanted[arg[i]] = true end

local function run(argv, cwd, env)
  return proc.run(argv, { cwd = cwd, env = env, timeout = 7200 })
end

local function must(argv, cwd)
  local r = run(argv, cwd)
  if r.code ~= 0 then error(("%s: exit %d\n%s%s"):format(proc.line(argv), r.code, r.stdout, r.stderr), 0) end
end

local function write(path, bytes)
  local f <close> = assert(io.open(path, "wb"))
  f:write(bytes)
end

-- The text with a mistake in it; an error when the program is not as it was.
local function mistaken(m)
  local text = assert(fs.read(m.file))
  local from, to = text:find(m.old, 1, true)
  if not from or text:find(m.old, to + 1, true) then
    error(("%s: the text to change is not there once in %s"):format(m.name, m.file), 0)
  end
  return text, text:sub(1, from - 1) .. m.new .. text:sub(to + 1)
end

-- The first line of what the first failing case says; nil when none fails.
local function finds(copy)
  local r = run({ copy .. "/build/orrery", "lua", "tests/property/main.lua", "1", tostring(count),
    "first" }, nil, { ORRERY = copy .. "/build/orrery" })
  return r.code ~= 0 and (r.stdout .. r.stderr):match("[^\n]*") or nil
end

local copy = ("%s/orrery-mutate-%d"):format(os.getenv("TMPDIR") or "/tmp", sys.pid())
assert(fs.mkdir(copy))
for _, name in ipairs({ "CMakeLists.txt", "core", "lua", "scripts", "tests" }) do
  must({ "cp", "-R", name, copy .. "/" .. name })
end
must({ "cmake", "-S", ".", "-B", "build", "-G", "Ninja" }, copy)
must({ "ninja", "-C", "build", "orrery", "mix" }, copy)

local missed = 0
for _, m in ipairs(require("tests.property.mutations")) do
  if next(wanted) == nil or wanted[m.name] then
    local right, wrong = mistaken(m)
    write(copy .. "/" .. m.file, wrong)
    must({ "ninja", "-C", "build", "orrery" }, copy)
    local found = finds(copy)
    write(copy .. "/" .. m.file, right)
    if not found then missed = missed + 1 end
    print(("%-16s %s"):format(m.name, found or "IS NOT FOUND"))
    io.stdout:flush()
  end
end
fs.remove_tree(copy)
os.exit(missed == 0 and 0 or 1)

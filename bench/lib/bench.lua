-- What a claim is given: races between commands, timings of functions, a place for files.
local fs = require("orrery.core.fs")
local proc = require("proc")
local sys = require("orrery.core.sys")

local Bench = {}
Bench.__index = Bench

local function median(list)
  table.sort(list)
  local n = #list
  return n % 2 == 1 and list[(n + 1) // 2] or (list[n // 2] + list[n // 2 + 1]) / 2
end

--- A bench of one claim.
---@param opts { name: string, rounds: integer, quick: boolean, orrery: string, dir: string }
function Bench.new(opts)
  return setmetatable({ name = opts.name, rounds = opts.rounds, quick = opts.quick,
    orrery = opts.orrery, dir = opts.dir, rows = {}, notes = {} }, Bench)
end

--- Something the table should say below.
function Bench:note(text) self.notes[#self.notes + 1] = text end

--- Writes a file below the claim's folder; returns its path.
function Bench:file(rel, text)
  local path = self.dir .. "/" .. rel
  assert(fs.mkdir(path:match("^(.*)/")))
  assert(fs.write_atomic(path, text))
  return path
end

--- The path of a peer; nil, with a note, when it is not installed.
function Bench:peer(name)
  local path = proc.which(name)
  if not path then self:note(name .. " is not installed; skipped") end
  return path
end

local function row(self, what, who, times, opts)
  table.sort(times)
  self.rows[#self.rows + 1] = { claim = self.name, what = what, who = who, n = #times,
    median = median(times), min = times[1], max = times[#times], unit = opts.unit,
    rss = opts.rss, cpu = opts.cpu, goal = opts.goal, base = opts.base, per = opts.per }
  return self.rows[#self.rows]
end

--- Runs commands in turn, A B C A B C, and compares the first with each other one.
--- An entry: { "make", argv, cwd =, before = function() end, per = divisor }.
---@param what string
---@param entries table[]
---@param opts? { rounds?: integer, per?: integer, unit?: string, goals?: table }
---@return table[] rows of the entries
function Bench:race(what, entries, opts)
  opts = opts or {}
  local rounds = self.quick and 1 or opts.rounds or self.rounds
  local times, rss, cpu = {}, {}, {}
  for i in ipairs(entries) do times[i], rss[i], cpu[i] = {}, {}, {} end
  for round = 0, rounds do
    for i, e in ipairs(entries) do
      if e.before then e.before() end
      if round > 0 or not (e.cold or self.quick) then
        local x = proc.run(e[2], { cwd = e.cwd or self.dir, env = e.env })
        if round > 0 then -- round 0 warms the page cache
          times[i][round], rss[i][round], cpu[i][round] = x.wall, x.rss, x.cpu
        end
      end
    end
  end
  local scale = (opts.unit == "us" and 1e6 or 1e3) / (opts.per or 1)
  local rows, first = {}, nil
  for i, e in ipairs(entries) do
    for k, v in ipairs(times[i]) do times[i][k] = v * scale end
    local r = row(self, what, e[1], times[i], { unit = opts.unit or "ms", rss = median(rss[i]),
      cpu = median(cpu[i]) * scale, goal = opts.goals and opts.goals[e[1]] })
    if first then r.ratio = first.median / r.median else first = r end
    rows[i] = r
  end
  return rows
end

--- Times a function that does n things; the median of several rounds, in the unit a thing.
---@param what string
---@param fn fun(n: integer)
---@param opts { n: integer, unit?: "us"|"ms", rounds?: integer, goal?: string, who?: string }
---@return number median
function Bench:time(what, fn, opts)
  local unit, times = opts.unit or "us", {}
  if not opts.once then fn(math.max(1, opts.n // 10)) end
  for i = 1, self.quick and 1 or opts.rounds or self.rounds do
    collectgarbage()
    local t0 = sys.mono()
    fn(opts.n)
    times[i] = (sys.mono() - t0) * (unit == "us" and 1e6 or 1e3) / opts.n
  end
  return row(self, what, opts.who or "orrery", times, { unit = unit, goal = opts.goal }).median
end

--- What was timed elsewhere, in a process of its own: the median of a list.
function Bench:list(what, times, unit, goal)
  return row(self, what, "orrery", times, { unit = unit, goal = goal }).median
end

--- A value that was not timed: MB/s, bytes, a ratio.
function Bench:value(what, value, unit, goal, who)
  self.rows[#self.rows + 1] = { claim = self.name, what = what, who = who or "orrery", n = 1,
    median = value, min = value, max = value, unit = unit, goal = goal }
end

--- MB/s of a function that handles `bytes` bytes each time.
function Bench:rate(what, bytes, fn, opts)
  opts = opts or {}
  local times = {}
  fn()
  for i = 1, self.quick and 1 or opts.rounds or self.rounds do
    collectgarbage()
    local t0, n = sys.mono(), 0
    repeat
      fn()
      n = n + 1
    until sys.mono() - t0 > 0.05
    times[i] = bytes * n / (sys.mono() - t0) / 1e6
  end
  return row(self, what, opts.who or "orrery", times, { unit = "MB/s", goal = opts.goal }).median
end

return Bench
